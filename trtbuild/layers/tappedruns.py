"""Runs of inspected graphs as the mode demands: sessions with tapped tensors, in groups that fit the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtbuild.arrays.arrayfile import Array
from trtbuild.layers import layererror, taps
from trtbuild.layers.finaloutputs import FinalOutputs
from trtbuild.layers.inspectedgraph import InspectedGraph

# How far the runtime may optimise: fusion-preserving taps and single conversions show what it does on its own.
LEVELS = {"all": "none", "fusion": "extended", "per_op": "all"}


@dataclass(frozen=True)
class TappedRuns:
    """All runs take the same ``feeds``; their final outputs are kept in ``final``."""

    feeds: Mapping[str, Array]
    mode: str
    max_bytes: int
    providers: Sequence[str]
    tf32: bool  # in the lowered graph alone
    final: FinalOutputs = field(default_factory=FinalOutputs)

    def session(self, model: Any, graph: InspectedGraph, level: Any, optimised: Path | None = None) -> Any:
        """A session of ``model``, which was made from ``graph`` for this session and is emptied.

        Args:
            optimised: where to write the model as the runtime optimised it.
        """
        from trtbuild.runtimes.onnxruntime import OnnxRuntimeSession

        content = model.SerializeToString()
        model.Clear()
        tf32 = self.tf32 and graph.name == "lowered"
        return OnnxRuntimeSession(
            content, f"{graph.name} graph", self.providers, level, graph.emulated, optimised, tf32
        )

    def run(self, graph: InspectedGraph, names: Sequence[str]) -> dict[str, Array]:
        """Values of the tensors in ``names`` that the graph computes."""
        results, outputs = graph.results, graph.outputs
        tapped = [name for name in names if name in results]
        model = taps.with_outputs(graph.model, tapped, only=self.mode == "per_op" and bool(tapped))
        session = self.session(model, graph, LEVELS[self.mode])
        values: dict[str, Array] = session.run({name: self.feeds[name] for name in session.inputs})
        self.final.keep(graph.name, {name: value.copy() for name, value in values.items() if name in outputs})
        return {name: values[name] for name in names if name in values}

    def unfused(self, graph: InspectedGraph, scratch: Path) -> set[str]:
        """Tensors that are still there after the runtime's fusions; ``scratch`` is a file that may be written."""
        import onnx

        self.session(taps.with_outputs(graph.model, []), graph, "extended", optimised=scratch)
        kept = {name for node in onnx.load(scratch).graph.node for name in node.output}
        scratch.unlink()
        return kept

    def groups(self, sizes: Mapping[str, int], copies: int) -> list[list[str]]:
        """The names of each run, so that ``copies`` of their arrays fit; in per-op mode each name has its own run.

        Args:
            sizes: name -> bytes of everything it brings into memory.
        """
        if self.mode == "per_op":
            return [[name] for name in sizes]
        return layererror.groups(sizes, max(1, self.max_bytes // copies))


def runs_of(options: Mapping[str, Any], feeds: Mapping[str, Array]) -> TappedRuns:
    """Runs with the step's options."""
    runtime = options["runtime"]
    tf32 = bool(runtime.get("tf32", False))
    return TappedRuns(feeds, options["mode"], options["max_bytes"], runtime["providers"], tf32)
