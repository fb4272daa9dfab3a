"""One graph under inspection: its float32 form (low precisions emulated), and what each of its tensors holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtbuild.graphs import rounding
from trtbuild.graphs.graph import element_types
from trtbuild.layers import taps


@dataclass(frozen=True)
class InspectedGraph:
    """``model`` is the float32 form that runs; the other fields describe the graph itself, not its emulation."""

    name: str
    model: Any
    emulated: Sequence[str] = ()
    low: Mapping[str, int] = field(default_factory=dict)  # tensor -> onnx.TensorProto type, float16 or bfloat16
    computed_in: Mapping[str, str] = field(default_factory=dict)  # tensor -> dtype
    activations: Sequence[str] = ()

    @property
    def results(self) -> set[str]:
        """Names of all results of the top-level nodes."""
        return {name for node in self.model.graph.node for name in node.output}

    @property
    def outputs(self) -> set[str]:
        return {value.name for value in self.model.graph.output}


def read_graph(name: str, path: Path) -> InspectedGraph:
    """The graph in an ONNX file; messages call it by ``name``: exported or lowered."""
    import onnx

    model = onnx.load(path)
    emulated = rounding.low_types(model)
    kinds = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    types, activations = element_types(model), taps.activations(model)
    low = {tensor: kind for tensor, kind in types.items() if kind in kinds}
    # An output that is cast back to float32 at the end was computed in the type before the cast.
    for node in model.graph.node:
        if node.op_type == "Cast" and types.get(node.input[0]) in kinds:
            types[node.output[0]] = types[node.input[0]]
    names = {tensor: onnx.helper.tensor_dtype_to_np_dtype(kind).name for tensor, kind in types.items() if kind}
    return InspectedGraph(name, rounding.emulate(model) if emulated else model, emulated, low, names, activations)
