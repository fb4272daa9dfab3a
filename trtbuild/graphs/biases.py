"""Bias correction: what quantisation adds to the mean of every output channel is taken off the bias again.

Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", ICCV 2019, section 4.2, with
means that are measured.  Each operation is compared on the float32 graph's own values, so that it answers for its own
operands only, and the order of corrections does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs import qdq
from trtbuild.graphs.graph import inferred, opset_of

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.placement import Placement

AXES_ARE_INPUTS = 18  # of ReduceMean, since this opset
_BIASED = ("Conv", "ConvTranspose", "Gemm")


@dataclass(frozen=True)
class MeanError:
    """``tensor`` of the comparison has ``node``'s float32 result minus its int8 one, by [row, output channel]."""

    node: str
    tensor: str


def comparison(
    model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], ranges: Mapping[str, float], placement: Placement
) -> tuple[onnx.ModelProto, list[MeanError]]:
    """The float32 graph with an int8 twin of every node, which reads the same values; its outputs are the errors."""
    import onnx

    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in inferred(model).value_info}
    ranks |= {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.output}
    compared = onnx.ModelProto.FromString(model.SerializeToString())
    graph, twins, errors = compared.graph, [], []
    for node in nodes:
        result = node.output[0]
        rank = ranks.get(result, 0)
        if rank < 2 or _bias(model.graph, node) is None:
            continue
        twin = onnx.NodeProto.FromString(node.SerializeToString())
        twin.output[0] = f"{result}/int8"  # and its name stays, by which a placement knows it
        twins.append(twin)
        channel = 1 if node.op_type.startswith("Conv") else rank - 1
        axes = [axis for axis in range(1, rank) if axis != channel]
        difference, mean = f"{result}/difference", f"{result}/mean_error"
        graph.node.extend([twin, onnx.helper.make_node("Sub", [result, twin.output[0]], [difference])])
        graph.node.append(_mean(compared, difference, mean, axes))
        errors.append(MeanError(node.name, mean))
    for original in graph.node[: len(model.graph.node)]:
        original.name += "/float32"
    qdq.insert(compared, twins, ranges, placement=placement)
    del graph.output[:]
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(error.tensor) for error in errors)
    return compared, errors


def _mean(model: onnx.ModelProto, name: str, out: str, axes: list[int]) -> onnx.NodeProto:
    import onnx

    if not axes:
        return onnx.helper.make_node("Identity", [name], [out])
    if opset_of(model) < AXES_ARE_INPUTS:
        return onnx.helper.make_node("ReduceMean", [name], [out], axes=axes, keepdims=0)
    constant = onnx.numpy_helper.from_array(np.array(axes, np.int64), f"{out}/axes")
    model.graph.initializer.append(constant)
    return onnx.helper.make_node("ReduceMean", [name, constant.name], [out], keepdims=0)


def correct(model: onnx.ModelProto, errors: Mapping[str, Array]) -> int:
    """Add the mean error of every channel, by name of the node, to its bias, in ``model``; how many were corrected."""
    import onnx

    graph, count = model.graph, 0
    for node in list(graph.node):
        place = _bias(graph, node) if node.name in errors else None
        if place is None:
            continue
        reader, slot = place
        present = len(reader.input) > slot and bool(reader.input[slot])
        before = _constant(graph, reader.input[slot]) if present else np.float32(0)
        error = errors[node.name]
        if before is None or (before.size != 1 and not before.shape[-1] == before.size == len(error)):
            continue
        name = f"{node.name}/corrected_bias"
        graph.initializer.append(onnx.numpy_helper.from_array((before + error).astype(np.float32), name))
        while len(reader.input) <= slot:
            reader.input.append("")
        reader.input[slot] = name
        count += 1
    return count


def _bias(graph: onnx.GraphProto, node: onnx.NodeProto) -> tuple[onnx.NodeProto, int] | None:
    """The node and the slot of a bias that is a constant, or could be one; None where there is no place for it."""
    constants = {tensor.name for tensor in graph.initializer}
    if node.op_type in _BIASED:
        bias = node.input[2] if len(node.input) > 2 else ""
        scaled = any(attribute.name == "beta" and attribute.f != 1.0 for attribute in node.attribute)
        return (node, 2) if not scaled and (not bias or bias in constants) else None
    readers = [reader for reader in graph.node if node.output[0] in reader.input]
    if len(readers) == 1 and readers[0].op_type == "Add":  # MatMul has no bias of its own
        slot = 1 - list(readers[0].input).index(node.output[0])
        return (readers[0], slot) if readers[0].input[slot] in constants else None
    return None


def _constant(graph: onnx.GraphProto, name: str) -> Array | None:
    import onnx

    found = next((tensor for tensor in graph.initializer if tensor.name == name), None)
    return None if found is None else np.asarray(onnx.numpy_helper.to_array(found))
