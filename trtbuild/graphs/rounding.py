"""A graph of low precisions as float32 with explicit roundings, for runtimes without such arithmetic.

E2M1 (``float4``) is taken out first (graphs/float4emulation.py); E4M3 is computed by ONNX Runtime itself.  Of float16
and bfloat16, every result is rounded to the low precision and widened again: what a kernel that accumulates in float32
computes.  ONNX Runtime's CPU provider has no bfloat16 convolution, and runs float16 graphs in float32 throughout (it
inserts "precision-free casts", at every optimisation level, seen in 1.31): rounding and overflow would not be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trtbuild.graphs import float4emulation
from trtbuild.graphs.graph import element_types, subgraphs

if TYPE_CHECKING:
    import onnx


def low_types(model: onnx.ModelProto) -> list[str]:
    """Which of float16, bfloat16 and float4 the graph's tensors use."""
    import onnx

    kinds = onnx.TensorProto
    names: dict[int, str] = {kinds.FLOAT16: "float16", kinds.BFLOAT16: "bfloat16", kinds.FLOAT4E2M1: "float4"}
    return sorted({names[kind] for kind in element_types(model).values() if kind in names})


def in_words(types: Sequence[str]) -> str:
    """How the low types of a graph are computed where a runtime lacks them.

    >>> in_words(["bfloat16", "float4"])
    'bfloat16 by rounding every result, and float4 by a graph of standard operations that computes the same'
    """
    rounded = " and ".join(kind for kind in types if kind != "float4")
    parts = [f"{rounded} by rounding every result"] if rounded else []
    if "float4" in types:
        parts.append("float4 by a graph of standard operations that computes the same")
    return ", and ".join(parts)


def emulate(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float32 copy of ``model`` in which every tensor that was float16 or bfloat16 holds such values.

    Inputs keep their types; outputs of a low precision become float32 with the same values.
    """
    import onnx

    copy: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    types = element_types(model)
    if onnx.TensorProto.FLOAT4E2M1 in types.values():
        types |= float4emulation.rewrite(copy)
    _Emulation(types).graph(copy.graph, top=True)
    return copy


class _Emulation:
    def __init__(self, types: dict[str, int]) -> None:
        import onnx

        self.onnx, self.types = onnx, types
        self.low = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
        self.full = onnx.TensorProto.FLOAT

    def graph(self, graph: onnx.GraphProto, *, top: bool = False) -> None:
        for tensor in graph.initializer:
            self.widen(tensor)
        nodes: list[onnx.NodeProto] = []
        inputs = {value.name for value in graph.input if self.types.get(value.name) in self.low} if top else set()
        for name in sorted(inputs):
            nodes.append(self.cast(name, f"{name}//widened", self.full))
        for value in (*(() if top else graph.input), *graph.output):
            if value.type.tensor_type.elem_type in self.low:
                value.type.tensor_type.elem_type = self.full
        for original in graph.node:
            node = self.onnx.NodeProto.FromString(original.SerializeToString())
            node.input[:] = [f"{name}//widened" if name in inputs else name for name in node.input]
            self.attributes(node)
            nodes.append(node)
            for i, name in enumerate(node.output):
                kind = self.types.get(name)
                if name and kind in self.low and not subgraphs(node):
                    node.output[i] = f"{name}//exact"
                    nodes.append(self.cast(f"{name}//exact", f"{name}//rounded", kind))
                    nodes.append(self.cast(f"{name}//rounded", name, self.full))
        del graph.node[:]
        graph.node.extend(nodes)
        del graph.value_info[:]

    def attributes(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i in self.low:
                attribute.i = self.full
            if attribute.HasField("t"):
                self.widen(attribute.t)
        for inner in subgraphs(node):
            self.graph(inner)

    def widen(self, tensor: onnx.TensorProto) -> None:
        if tensor.data_type in self.low:
            array = self.onnx.numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(self.onnx.numpy_helper.from_array(array, tensor.name))

    def cast(self, source: str, target: str, kind: int | None) -> onnx.NodeProto:
        return self.onnx.helper.make_node("Cast", [source], [target], to=kind)
