"""uint8 Q/DQ to int8: a range that is not symmetric becomes one that is, since TensorRT's int8 has no zero point.

The larger side of the range stays, and gets 127 steps; what was clamped stays clamped.  So a ReLU's range from 0 to m
keeps m, and its steps become twice as coarse.  Where the zero is at 127, as it is in some channels of weights with
symmetric ranges, the steps stay, without the last of 256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs.graph import all_graphs, drop_unused_initialisers, producers
from trtbuild.graphs.trained import NOT_NEGATIVE

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

LARGEST, LEAST = 127, -128
_CENTRED = (127, 128)  # zero points of symmetric ranges
_UINT8 = 2  # onnx.TensorProto.UINT8
PAIR = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class SymmetricRange:
    """One range before and after, the widest channel's where there are several; ``node``: the first that reads it."""

    node: str
    on_weights: bool
    low: float
    high: float
    scale: float
    symmetric_scale: float


def make_symmetric(model: onnx.ModelProto) -> list[SymmetricRange]:
    """Rewrite every uint8 pair with constant scales, in place; returns what changed."""
    constants = {tensor.name: tensor for graph in all_graphs(model.graph) for tensor in graph.initializer}
    found: list[SymmetricRange] = []
    for graph in reversed(list(all_graphs(model.graph))):
        found = [*_Writer(graph, constants).run(), *found]
    for graph in all_graphs(model.graph):
        drop_unused_initialisers(graph)
    return found


def unsigned(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that this module rewrites."""
    graphs = list(all_graphs(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    return [node for graph in graphs for node in graph.node if _is_unsigned(node, constants)]


def _is_unsigned(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    if node.op_type not in PAIR or len(node.input) < 3 or node.input[1] not in constants:
        return False
    return node.input[2] in constants and constants[node.input[2]].data_type == _UINT8


class _Writer:
    def __init__(self, graph: onnx.GraphProto, constants: Mapping[str, onnx.TensorProto]) -> None:
        import onnx

        self._onnx, self._graph, self._constants = onnx, graph, constants
        self._made: dict[str, Array] = {}
        self._makers = producers(graph)

    def run(self) -> list[SymmetricRange]:
        nodes, found = [], []
        for original in list(self._graph.node):
            node = self._onnx.NodeProto.FromString(original.SerializeToString())
            if _is_unsigned(node, self._constants):
                weights = node.op_type == PAIR[1] and node.input[0] in self._constants
                scale, zero = self._array(node.input[1]), self._array(node.input[2]).astype(np.int64)
                wider = (np.maximum(zero, 255 - zero) * scale / np.float32(LARGEST)).astype(np.float32)
                coarse = np.where(np.isin(zero, _CENTRED), scale, wider)
                if node.op_type == PAIR[0]:
                    nodes += self._clamps(node, scale, zero, coarse)
                if weights:
                    node.input[0] = self._requantised(node, scale, zero, coarse)
                if weights or node.op_type == PAIR[0]:
                    found.append(_change(node, weights, scale, zero, coarse))
                node.input[2] = self._constant(f"{node.input[1]}/{node.input[2]}/int8", np.zeros(zero.shape, np.int8))
                node.input[1] = self._constant(f"{node.input[1]}/{original.input[2]}/symmetric", coarse)
            nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        return found

    def _clamps(self, node: onnx.NodeProto, scale: Array, zero: Array, coarse: Array) -> list[onnx.NodeProto]:
        """What keeps the ends of the old range, where the new one goes beyond them; ranges are of whole tensors."""
        low, high = -zero * scale, (255 - zero) * scale
        maker, made = self._makers.get(node.input[0]), []
        positive = maker is not None and maker.op_type in NOT_NEGATIVE and bool((zero == 0).all())
        for kind, bound, needed in (
            ("Max", low, bool((low > LEAST * coarse).any()) and not positive),
            ("Min", high, bool((high < LARGEST * coarse).any())),
        ):
            if needed and not (maker is not None and maker.op_type == kind):
                limit = self._constant(f"{node.name}/{kind}", bound.astype(np.float32))
                output = f"{node.name}/{kind}ed"
                made.append(self._onnx.helper.make_node(kind, [node.input[0], limit], [output], name=output))
                node.input[0] = output
        return made

    def _requantised(self, node: onnx.NodeProto, scale: Array, zero: Array, coarse: Array) -> str:
        steps = self._array(node.input[0])
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if i == axis % steps.ndim else 1 for i in range(steps.ndim)] if scale.ndim else []
        old, new, zeros = (part.reshape(shape) for part in (scale, coarse, zero))
        rounded = np.rint((steps.astype(np.float32) - zeros) * old / new)
        return self._constant(f"{node.input[0]}/int8", np.clip(rounded, LEAST, LARGEST).astype(np.int8))

    def _array(self, name: str) -> Array:
        array: Array = self._onnx.numpy_helper.to_array(self._constants[name])
        return array

    def _constant(self, name: str, array: Array) -> str:
        """One of this name; another one's is longer: equal steps may be of weights with different zero points."""
        while name in self._made and not np.array_equal(self._made[name], array):
            name += "_"
        if name not in self._made:
            contiguous = np.ascontiguousarray(array).reshape(array.shape)
            self._graph.initializer.append(self._onnx.numpy_helper.from_array(contiguous, name))
            self._made[name] = array
        return name


def _change(node: onnx.NodeProto, weights: bool, scale: Array, zero: Array, coarse: Array) -> SymmetricRange:
    flat = [part.reshape(-1) for part in (-zero * scale, (255 - zero) * scale, scale, coarse)]
    widest = int(np.argmax(flat[3]))
    low, high, fine, new = (float(part[widest]) for part in flat)
    return SymmetricRange(node.name, weights, low, high, fine, new)
