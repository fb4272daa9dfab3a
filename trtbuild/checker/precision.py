"""The exported graph in the requested precision, and that precision's pitfalls that show without running anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.checker.options import Options
from trtbuild.checker.problem import Problem
from trtbuild.config import named

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.checker.finder import Finder
    from trtbuild.workers.prober import Answer

LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38}
# Half of float16's smallest number; bfloat16 has float32's exponents, so nothing vanishes in it.
VANISHES_BELOW = {"float16": 2.0**-25}
SMALL = 64  # elements: a vanishing epsilon or bound matters, single weights of a large tensor do not
EXTERNAL_BYTES = 1 << 20
_CLAMP = "use a bound that {0} holds, such as -1e4 in place of -1e9 for a mask; the build clamps it to {1:g}"
_EPSILON = "use a larger one (1e-5 is held by {0}), or keep this scope in float32: overrides.{0}.exclude_scopes"
_INFINITE = "use a large finite number: infinity times zero, and infinity minus infinity, are NaN"
_STAYS = "nothing to fix; if it has to be quantised, give it a constant weight of two dimensions or more"


def pitfalls(model: onnx.ModelProto, how: Options, finder: Finder) -> list[Problem]:
    """Constants that the precision cannot hold, each once, at the first node that reads it."""
    from trtbuild.graphs.placement import Placement, scoped

    placement = Placement(how.lowering, scoped(model, how.lowering, finder.nodes))
    found: dict[str, Problem] = {}
    for node, name, values in _constants(model) if placement.casts else ():
        kind = placement.of(node).float_type
        if name in found or kind not in LARGEST:
            continue
        said = _said(values, LARGEST[kind], VANISHES_BELOW.get(kind, 0.0), placement.of(node).precision)
        if said is not None:
            found[name] = finder.noticed("precision", "warning", node.name, node.op_type, *said)
    return list(found.values())


def _said(values: Array, largest: float, vanishes: float, precision: str) -> tuple[str, str] | None:
    """Words and advice about one constant; None when the precision holds it."""
    import numpy as np

    sizes = np.abs(values)
    finite = sizes[np.isfinite(sizes)]
    if finite.size and float(finite.max()) > largest:
        worst = float(values.flat[int(np.argmax(np.where(np.isfinite(sizes), sizes, 0)))])
        return f"the constant {worst:g} overflows {precision}", _CLAMP.format(precision, largest)
    if np.isinf(sizes).any():
        return "a constant is infinite", _INFINITE
    lost = finite[(finite > 0) & (finite <= vanishes)]
    if lost.size and values.size <= SMALL:
        return f"the constant {float(lost.min()):g} becomes 0 in {precision}", _EPSILON.format(precision)
    return None


def _constants(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, str, Array]]:
    """Every reading of a float constant whose values are here: node, tensor, array; shapes stay exact anyway."""
    import onnx

    from trtbuild.graphs.graph import all_nodes, shape_arithmetic

    exact = shape_arithmetic(model.graph)
    arrays = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.data_location != onnx.TensorProto.EXTERNAL
    }
    for node in all_nodes(model.graph):
        if any(name in exact for name in node.output):
            continue
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t") and attribute.t.data_type == onnx.TensorProto.FLOAT:
                    yield node, node.output[0], onnx.numpy_helper.to_array(attribute.t)
        for name in node.input:
            if name in arrays:
                yield node, name, arrays[name]


def slower_than_fp16(how: Options, answers: Mapping[str, Answer]) -> list[Problem]:
    """Notes on the versions that take the graph in int8, but whose recorded engines moved fewer bytes in fp16."""
    from trtbuild.engine import recorded

    notes = []
    for version in (name for name, answer in answers.items() if answer.outcome == "ok" and how.lowering.kind == "int8"):
        spec = named.toolchain(named.root_here(), version)
        found = recorded.comparison(spec.flavour, spec.version)
        if found is not None and found.for_fp16:
            notes.append(Problem("precision", "note", "", "", str(found), recorded.HINT, versions=(version,),
                                 rule="precision/fp16"))  # fmt: skip
    return notes


def written(model: onnx.ModelProto, how: Options, folder: Path, finder: Finder) -> tuple[Path, list[Problem]]:
    """Write the graph in the requested precision; also report what is not quantised though that was requested.

    Raises:
        LowerError: the precision cannot be written into this graph.
    """
    import onnx

    from trtbuild.graphs.graph import all_nodes
    from trtbuild.graphs.placement import scoped

    path = folder / "model.onnx"
    if how.lowering.plain:
        path.write_bytes(model.SerializeToString())
        return path, []
    found = scoped(model, how.lowering, finder.nodes)
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        path.write_bytes(model.SerializeToString())
        path, kept = _in_child(path, how, found, folder)
    else:
        from trtbuild.graphs import uncalibrated

        kept = uncalibrated.lower(model, how.lowering, found)
        path.write_bytes(model.SerializeToString())
    kinds = {node.name: node.op_type for node in all_nodes(model.graph)}
    return path, [_left(finder, name, kinds, why) for name, why in kept.items() if why != "excluded by overrides"]


def _left(finder: Finder, node: str, kinds: Mapping[str, str], why: str) -> Problem:
    """One operation that is not quantised though that was requested."""
    from trtbuild.graphs import trainedint8

    said = trainedint8.reason(why)
    if said is not None:
        words = f"it is not quantised: {said[0]}"
        return finder.noticed("precision", "warning", node, kinds.get(node, ""), words, said[1])
    return finder.noticed("precision", "note", node, kinds.get(node, ""), f"it is not quantised: {why}", _STAYS)


def _in_child(model: Path, how: Options, found: dict[str, frozenset[str]], folder: Path) -> tuple[Path, dict[str, str]]:
    """The same where weights are in a separate file: another process reads them."""
    from trtbuild.workers.child import run_job

    names = {scope: sorted(nodes) for scope, nodes in found.items()}
    params = {"lowering": asdict(how.lowering), "scoped": names, "threshold": EXTERNAL_BYTES}
    out = run_job(
        "workers.jobs.lowered", params, {"model": model}, folder / "lowering", where="lower", limit_s=how.limit_s
    )
    for file in ("lowered.onnx", "lowered.bin"):
        if (out / file).exists():
            (out / file).rename(folder / file)
    return folder / "lowered.onnx", json.loads((out / "kept.json").read_text("utf-8"))


def refuse_low(model: onnx.ModelProto, how: Options, finder: Finder) -> list[Problem]:
    """A network that already computes in a lower precision cannot pass as another: a build refuses it."""
    from trtbuild.graphs.rounding import low_types

    found = low_types(model) if how.lowering.kind == "none" else []
    if not found:
        return []
    what = f"the source model already computes in {' and '.join(found)}, so it is not {how.lowering.precision}"
    return [finder.noticed("precision", "error", "", "", what, "ask for that precision, or build it in float32")]
