"""Trained Q/DQ pairs taken out of a graph: what they rounded, in floats again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs.graph import all_graphs, all_nodes, drop_unused_initialisers, producers
from trtbuild.graphs.trained import NEGATION, NOT_NEGATIVE

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

_BESIDE = ("QuantizeLinear", "DequantizeLinear", "Max", "Min", NEGATION)


def dequantised(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> Array:
    """The floats that a DequantizeLinear makes of a constant."""
    import onnx

    parts = [onnx.numpy_helper.to_array(constants[name]) for name in node.input]
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [-1 if i == axis % parts[0].ndim else 1 for i in range(parts[0].ndim)] if parts[1].ndim else []
    zero = parts[2].astype(np.int32).reshape(shape) if len(parts) > 2 else np.int32(0)
    made: Array = ((parts[0].astype(np.int32) - zero) * parts[1].reshape(shape)).astype(np.float32)
    return made


def drop_unread_pairs(graph: onnx.GraphProto) -> None:
    """Remove halves of pairs whose result is not read, and clamps and negations that stood beside them."""
    while True:
        read = {name for node in all_nodes(graph) for name in node.input} | {value.name for value in graph.output}
        unread = [
            node for node in graph.node if node.op_type in _BESIDE and node.output[0] not in read
        ]  # fmt: skip
        for node in unread:
            graph.node.remove(node)
        if not unread:
            drop_unused_initialisers(graph)
            return


def strip(model: onnx.ModelProto) -> int:
    """Take the rounding out, in place: weights keep their rounded values, activations are clamped as in training.

    Returns:
        the number of pairs that are gone.
    """
    graphs = list(all_graphs(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    return sum(_strip(graph, constants) for graph in reversed(graphs))


def _strip(graph: onnx.GraphProto, constants: Mapping[str, onnx.TensorProto]) -> int:
    import onnx

    gone, makers, kept = 0, producers(graph), []
    for original in graph.node:
        node = onnx.NodeProto.FromString(original.SerializeToString())
        before = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if node.op_type == "DequantizeLinear" and all(name in constants for name in node.input):
            graph.initializer.append(onnx.numpy_helper.from_array(dequantised(node, constants), node.output[0]))
        elif before is not None and before.op_type == "QuantizeLinear" and all(n in constants for n in node.input[1:]):
            kept += _clamp(graph, constants, before, makers, node.output[0])
        else:
            kept.append(node)
            continue
        gone += 1
    del graph.node[:]
    graph.node.extend(kept)
    drop_unread_pairs(graph)
    return gone


def _clamp(
    graph: onnx.GraphProto, constants: Mapping[str, onnx.TensorProto], quantise: onnx.NodeProto,
    makers: Mapping[str, onnx.NodeProto], output: str,
) -> list[onnx.NodeProto]:  # fmt: skip
    """What saturation does to a tensor; ranges of activations are of whole tensors."""
    import onnx

    scale, zero = (onnx.numpy_helper.to_array(constants[name]) for name in quantise.input[1:3])
    kind, zeros = np.iinfo(zero.dtype), zero.astype(np.int64)
    source = quantise.input[0]
    maker, made = makers.get(source), []
    positive = maker is not None and maker.op_type in NOT_NEGATIVE and bool((zeros >= kind.min).all())
    for clamp, end, needed in (("Max", kind.min, not positive), ("Min", kind.max, True)):
        if needed:
            bound = f"{quantise.name}/{clamp}"
            limit = ((end - zeros) * scale).astype(np.float32)
            graph.initializer.append(onnx.numpy_helper.from_array(limit, bound))
            made.append(onnx.helper.make_node(clamp, [source, bound], [f"{bound}ed"], name=f"{bound}ed"))
            source = f"{bound}ed"
    made[-1].output[0] = output
    return made
