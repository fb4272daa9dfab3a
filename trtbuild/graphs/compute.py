"""The operations that decide an engine's speed: the precision promised for each, and its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.graphs import agreement
from trtbuild.graphs.cast import DYNAMIC
from trtbuild.graphs.graph import all_graphs, all_nodes, element_types, inferred, producers

if TYPE_CHECKING:
    import onnx

COMPUTE_OPS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
# These compute, too, but each becomes many layers: the promise leaves them out, and the report says so.
COMPOSITE_OPS = ("LSTM", "GRU", "RNN", "Einsum", "Attention")


def promised(model: onnx.ModelProto) -> dict[str, str]:
    """The dtype in which every compute node is to run, by node name: int8 when both operands come from int8.

    ``float16 with int4 weights`` computes in float16.
    """
    import onnx

    types, graphs = element_types(model), list(all_graphs(model.graph))
    nodes = list(all_nodes(model.graph))  # the bodies of loops and branches compute, too
    made_by = {name: node for graph in graphs for name, node in producers(graph).items()}
    constants = {tensor.name for graph in graphs for tensor in graph.initializer}

    def operand(name: str) -> str:
        source, producer = name, made_by.get(name)
        while producer is not None and producer.op_type in ("Reshape", "Transpose"):
            source, producer = producer.input[0], made_by.get(producer.input[0])
        if producer is None or producer.op_type != "DequantizeLinear":
            return dtype_name(types.get(name, onnx.TensorProto.UNDEFINED))
        stored = producer.input[0]
        if source != name and stored not in constants:  # only weights take their shape behind it
            return dtype_name(types.get(name, onnx.TensorProto.UNDEFINED))
        maker = made_by.get(stored)
        return "float4" if maker is not None and maker.op_type == DYNAMIC else dtype_name(types.get(stored, 0))

    found = {
        node.name: agreement.together([operand(name) for name in node.input[:2]])
        for node in nodes
        if node.op_type in COMPUTE_OPS
    }
    return {name: "float32" if kind == "mixed" else kind for name, kind in found.items()}


def multiply_accumulates(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of every convolution and matrix product for one sample, where shapes are known.

    Convolution: output elements x weight elements per output channel.  Matrix product: output elements x inner
    dimension, from whichever operand states it.  Any other dynamic dimension counts as 1.
    """
    from math import prod

    graph = inferred(model)
    shapes = {t.name: list(t.dims) for t in model.graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = [max(d.dim_value, 1) for d in value.type.tensor_type.shape.dim]
    work = {}
    for node in graph.node:
        if node.op_type not in COMPUTE_OPS or any(name not in shapes for name in (*node.input[:2], node.output[0])):
            continue
        first, second, out = (shapes[name] for name in (node.input[0], node.input[1], node.output[0]))
        if node.op_type == "Conv":
            work[node.name] = prod(out) * prod(second[1:])
        elif node.op_type == "ConvTranspose":
            work[node.name] = prod(first) * prod(second[1:])
        else:
            transposed = {a.name for a in node.attribute if a.i}  # Gemm's transA and transB
            inner = first[0] if "transA" in transposed else first[-1]
            other = second[-1] if "transB" in transposed or len(second) == 1 else second[-2]
            work[node.name] = prod(out) * max(inner, other)
    return work


def dtype_name(kind: int) -> str:
    return agreement.dtype_name(kind) or "undefined"
