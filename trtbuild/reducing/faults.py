"""The question that a reduction repeats: does this graph still fail in that way?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trtbuild.base.errors import ModelError, TrtbuildError
from trtbuild.core.spec import Lowering
from trtbuild.reducing import graphvalues
from trtbuild.reducing.anonymous import Renaming
from trtbuild.reducing.failure import Failure, of_answer
from trtbuild.suite.case import Tolerance
from trtbuild.workers.prober import Answer, Profiles, Question

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

Ask = Callable[[Question], Answer]


class Fault(Protocol):
    """``target`` is the failure looked for; ``seen`` is that of the last graph that showed it."""

    target: Failure
    seen: Failure

    def shows(self, model: onnx.ModelProto) -> bool: ...

    def rename(self, new: Renaming) -> None:
        """Use the new names of tensors and nodes from now on."""


class TensorrtFault:
    """TensorRT refuses the graph, misreads it, or crashes."""

    def __init__(
        self, ask: Ask, target: Failure, names: frozenset[str], folder: Path,
        profiles: Profiles, tf32: bool,
    ) -> None:  # fmt: skip
        self.target = self.seen = target
        self._ask, self._names, self._path, self._tf32 = ask, names, folder / "asked.onnx", tf32
        self.profiles = dict(profiles)

    def shows(self, model: onnx.ModelProto) -> bool:
        found = self.look(model)
        same = next((failure for failure in found if failure.like(self.target)), None)
        self.seen = same or self.seen
        return same is not None

    def look(self, model: onnx.ModelProto) -> tuple[Failure, ...]:
        return of_answer(self.answer(model), self._names)

    def answer(self, model: onnx.ModelProto) -> Answer:
        self._path.write_bytes(model.SerializeToString())
        profiles = {n: p for n, p in self.profiles.items() if n in dynamic_inputs(model)}
        return self._ask(Question(self._path, {}, profiles, tf32=self._tf32, every=False))

    def rename(self, new: Renaming) -> None:
        self.profiles = {new.tensors.get(name, name): profile for name, profile in self.profiles.items()}


class LoweringFault:
    """The lowered graph deviates from the float32 graph by more than the tolerance; both run in ONNX Runtime.

    The graphs in question are float32.  ``tensors``: values of the whole graph's tensors, as inputs of its pieces; a
    missing one is drawn at random.  ``least``: the relative RMS error that a graph must have, a share of the whole
    graph's, since pieces and random weights with larger values would pass for the fault otherwise.  ``scoped``: nodes
    in each scope of the precision, and in those that the model excludes.
    """

    def __init__(
        self, lowering: Lowering, tolerance: Tolerance, tensors: Mapping[str, Array], least: float = 0.0,
        scoped: Mapping[str, frozenset[str]] | None = None,
    ) -> None:  # fmt: skip
        self.target = self.seen = Failure("mismatch", "lower", "", "", "")
        self.relative = 0.0  # of the last graph that deviated
        self._lowering, self._scoped = lowering, dict(scoped or {})
        self._tolerance, self.tensors, self.least = tolerance, dict(tensors), least

    def shows(self, model: onnx.ModelProto) -> bool:
        try:
            says = self.compare(model)
        except TrtbuildError:  # a piece that cannot be lowered or run
            return False
        if says:
            self.seen = Failure("mismatch", "lower", "", "", says)
        return bool(says)

    def compare(self, model: onnx.ModelProto) -> str:
        """How far the lowered graph deviates, "" if within the tolerance; raises LowerError or ModelError."""
        from trtbuild.suite.comparison import difference

        feeds = self.feeds(model)
        wanted = graphvalues.outputs_of(model, feeds)
        have = graphvalues.outputs_of(self.lowered(model), feeds)
        for name in wanted:
            says = difference(wanted[name], have[name], self._tolerance)
            if says and (relative := relative_error(wanted[name], have[name])) >= self.least:
                self.relative = relative
                return f"{name}: {says}"
        return ""

    def feeds(self, model: onnx.ModelProto) -> dict[str, Array]:
        drawn = graphvalues.random_feeds(model, {})
        fits = {n: v for n, v in self.tensors.items() if n in drawn and v.shape == drawn[n].shape}
        return {**drawn, **fits}

    def lowered(self, model: onnx.ModelProto) -> onnx.ModelProto:
        import onnx

        from trtbuild.runtimes import calibrated

        copy: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
        calibrated.lower(copy, self._lowering, self.feeds(model), self._scoped)
        return copy

    def rename(self, new: Renaming) -> None:
        self.tensors = {new.tensors[name]: value for name, value in self.tensors.items() if name in new.tensors}
        self._scoped = {
            scope: frozenset(new.nodes[name] for name in names if name in new.nodes)
            for scope, names in self._scoped.items()
        }

    def forget_values(self) -> dict[str, Array]:
        """Use random inputs from now on; returns the previous ones."""
        old, self.tensors = self.tensors, {}
        return old


class SourceFault:
    """The exported graph gives other values in ONNX Runtime than its source in TensorFlow, for the same inputs.

    Only the whole graph can show it: pieces have no reference values.  ``random``: its inputs are not the user's data.
    """

    def __init__(self, feeds: Mapping[str, Array], golden: Mapping[str, Array], tolerance: Tolerance) -> None:
        self.target = self.seen = Failure("mismatch", "export", "", "", "")
        self.feeds, self.golden, self._tolerance = dict(feeds), dict(golden), tolerance
        self.random = False
        self.operations: tuple[str, ...] = ()  # of TensorFlow, if known

    def shows(self, model: onnx.ModelProto) -> bool:
        from trtbuild.suite.comparison import difference

        try:
            have = graphvalues.outputs_of(model, self.feeds)
        except ModelError:
            return False
        for name, wanted in self.golden.items():
            says = difference(wanted, have[name], self._tolerance) if name in have else ""
            if says:
                self.seen = Failure("mismatch", "export", "", "", f"{name}: {says}")
                return True
        return False

    def rename(self, new: Renaming) -> None:
        self.feeds = {new.tensors.get(name, name): value for name, value in self.feeds.items()}
        self.golden = {new.tensors.get(name, name): value for name, value in self.golden.items()}


def relative_error(reference: Array, value: Array) -> float:
    """RMS of the difference over RMS of the reference; infinite if either is not finite or the shapes differ."""
    import numpy as np

    if reference.shape != value.shape or reference.dtype.kind not in "fc":
        return float("inf")
    a, b = reference.astype(np.float64), value.astype(np.float64)
    with np.errstate(all="ignore"):
        error = float(np.sqrt(np.mean((a - b) ** 2)) / np.sqrt(np.mean(a**2)))
    return error if np.isfinite(error) else float("inf")


def dynamic_inputs(model: onnx.ModelProto) -> list[str]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        value.name
        for value in model.graph.input
        if value.name not in constants and any(not d.HasField("dim_value") for d in value.type.tensor_type.shape.dim)
    ]


def all_names(model: onnx.ModelProto) -> frozenset[str]:
    """The user's names: of the graph, its nodes and its tensors."""
    from trtbuild.graphs.graph import all_nodes

    found = {model.graph.name}
    for node in all_nodes(model.graph):
        found |= {node.name, *node.input, *node.output}
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        found.add(value.name)
    return frozenset(name for name in found if name)
