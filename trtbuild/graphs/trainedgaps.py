"""Additions whose operands have different trained ranges, which an engine cannot add in int8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.graphs.graph import producers
from trtbuild.graphs.trained import NEGATION

if TYPE_CHECKING:
    import onnx


def unequal(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, tuple[float, ...]]]:
    """Additions of two dequantised activations with different scales, and the scales."""
    import onnx

    graph, makers = model.graph, producers(model.graph)
    constants = {tensor.name: tensor for tensor in graph.initializer}

    def scale(name: str) -> float | None:
        maker = makers.get(name)
        while maker is not None and maker.op_type in ("Transpose", "Reshape", "Identity", "Relu", "MaxPool", NEGATION):
            maker = makers.get(maker.input[0])
        if maker is None or maker.op_type != "DequantizeLinear" or maker.input[0] in constants:
            return None
        held = constants.get(maker.input[1])
        values = None if held is None else onnx.numpy_helper.to_array(held).reshape(-1)
        return float(values[0]) if values is not None and values.size == 1 else None

    found = []
    for node in graph.node:
        scales = [scale(name) for name in node.input] if node.op_type == "Add" else []
        known = tuple(one for one in scales if one is not None)
        if len(known) > 1 and len(set(known)) > 1:
            found.append((node, known))
    return found
