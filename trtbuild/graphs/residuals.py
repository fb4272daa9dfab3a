"""Residual additions in int8: the shortcut is quantised, too, so that a kernel can add it to a convolution's result.

NVIDIA's advice for networks with Q/DQ pairs; what it costs and saves is in docs/placement.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.graphs.graph import element_types, producers

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Shortcut:
    """The operand ``slot`` of the addition ``node`` is the tensor ``name``."""

    node: str
    slot: int
    name: str


def shortcuts(model: onnx.ModelProto, chosen: Collection[str]) -> list[Shortcut]:
    """One for each sum of a ``chosen`` node's result (name; its bias may be added first) and another tensor.

    Where both operands are such results, the one that is computed first counts as the shortcut.
    """
    import onnx

    graph, types = model.graph, element_types(model)
    made, place = producers(graph), {name: i for i, node in enumerate(graph.node) for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}

    def computed(name: str) -> bool:
        maker = made.get(name)
        if maker is not None and maker.op_type == "Add" and len(constants.intersection(maker.input)) == 1:
            maker = made.get(next(operand for operand in maker.input if operand not in constants))  # a bias
        return maker is not None and maker.name in chosen

    found = []
    for node in graph.node:
        if node.op_type != "Add" or constants.intersection(node.input) or node.input[0] == node.input[1]:
            continue
        if any(types.get(name) != onnx.TensorProto.FLOAT for name in node.input):
            continue
        results = [computed(name) for name in node.input]
        if any(results):
            first = 0 if place.get(node.input[0], -1) <= place.get(node.input[1], -1) else 1
            slot = first if all(results) else results.index(False)
            if node.input[slot] in made and made[node.input[slot]].op_type == "DequantizeLinear":
                continue  # it is quantised already
            found.append(Shortcut(node.name, slot, node.input[slot]))
    return found
