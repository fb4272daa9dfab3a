"""A convolution's weight scales behind the convolution: one scale for the weights, and a Mul by channel after it.

The int8 weights stay the same, and so do the values, but for rounding.  TensorRT-RTX 1.7 then writes the result in
float16; with scales by channel it writes float32 (docs/placement.md).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs.graph import all_nodes, drop_unused_initialisers, producers

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

LARGEST_HALF = 65504.0
SMALLEST_HALF = 2.0**-14  # below it, float16 loses bits
LARGEST_INT8 = 127


@dataclass(frozen=True)
class Shared:
    """``dequantised``: the DequantizeLinear nodes that were made; ``by_channel``: nodes that keep scales, and why."""

    dequantised: tuple[str, ...]
    by_channel: dict[str, str]


def share(model: onnx.ModelProto, chosen: Collection[str]) -> Shared:
    """Give the weights of the ``chosen`` convolutions (names of nodes) one scale each, in ``model``.

    Their bias follows the Mul, in an Add.
    """
    import onnx

    graph = model.graph
    sharing = _Sharing(graph)
    kept: dict[str, str] = {}
    ordered: list[onnx.NodeProto] = []
    for original in graph.node:
        node = onnx.NodeProto.FromString(original.SerializeToString())
        if node.op_type != "Conv" or node.name not in chosen:
            ordered.append(node)
            continue
        found = sharing.weights(node)
        if isinstance(found, str):
            kept |= {node.name: found} if found else {}
            ordered.append(node)
        else:
            ordered += sharing.written(node, *found)
    del graph.node[:]
    graph.node.extend(ordered)
    _drop_unread(graph)
    drop_unused_initialisers(graph)
    return Shared(tuple(sharing.shared.values()), kept)


class _Sharing:
    def __init__(self, graph: onnx.GraphProto) -> None:
        import onnx

        self._onnx, self._graph, self._made = onnx, graph, producers(graph)
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self.shared: dict[tuple[str, float], str] = {}

    def weights(self, node: onnx.NodeProto) -> tuple[onnx.NodeProto, float, Array] | str:
        """The node that dequantises the weights, their one scale, and what each channel is multiplied by.

        Otherwise why they keep scales by channel; "" if they have none.
        """
        dequantised, activation = self._made.get(node.input[1]), self._made.get(node.input[0])
        if dequantised is None or dequantised.op_type != "DequantizeLinear":
            return ""
        scales, weights = self._array(dequantised.input[1]), self._array(dequantised.input[0])
        if scales is None or weights is None or scales.ndim != 1 or weights.dtype != np.int8:
            return ""
        if len(node.input) > 2 and node.input[2] and node.input[2] not in self._constants:
            return "its bias is computed"
        step = self._array(activation.input[1]) if activation is not None and len(activation.input) > 1 else None
        if activation is None or activation.op_type != "DequantizeLinear" or step is None or step.ndim:
            return "the scale of its input is not one constant"
        sums = np.abs(weights.astype(np.int16)).reshape(len(weights), -1).sum(axis=1, dtype=np.int64)
        largest = LARGEST_INT8 * float(step) * sums.max(initial=0.0)  # no result is larger, with a scale of 1
        live = scales[sums > 0]
        top = float(live.max(initial=0.0)) or float(scales.max())
        if largest:
            top = min(top, LARGEST_HALF / largest)
        scale = float(2.0 ** np.floor(np.log2(top)))  # a power of two is exact in every type
        ratios = np.where(sums > 0, scales / scale, 1.0)
        if scale < SMALLEST_HALF or ratios.min() < SMALLEST_HALF or ratios.max() > LARGEST_HALF:
            return "its scales are too far apart, or too small, for float16"
        return dequantised, scale, ratios

    def written(
        self, node: onnx.NodeProto, dequantised: onnx.NodeProto, scale: float, ratios: Array
    ) -> list[onnx.NodeProto]:
        """The convolution with what stands before and behind it; the result keeps its name."""
        out, bias = node.output[0], node.input[2] if len(node.input) > 2 else ""
        before = self._one_scale(dequantised, scale, out)
        rank = len(self._constants[dequantised.input[0]].dims)
        by_channel = [1, -1, *[1] * (rank - 2)]
        node.input[:] = [node.input[0], self.shared[dequantised.input[0], scale]]
        node.output[0] = f"{out}/by_tensor"
        factors = self._constant(f"{out}/channels", ratios.astype(np.float32).reshape(by_channel))
        scaled = f"{out}/by_channel" if bias else out
        behind = [self._node("Mul", [node.output[0], factors], scaled, f"{out}/by_channel")]
        if bias:
            values = self._array(bias)
            assert values is not None
            apart = self._constant(f"{out}/bias_apart", values.reshape(by_channel))
            behind.append(self._node("Add", [scaled, apart], out, f"{out}/plus_bias"))
        return [*before, node, *behind]

    def _one_scale(self, dequantised: onnx.NodeProto, scale: float, out: str) -> list[onnx.NodeProto]:
        """The weights dequantised with one scale; made once for all convolutions that share them."""
        quantised, stem = dequantised.input[0], f"{out}/weights"
        if (quantised, scale) in self.shared:
            return []
        constants = [self._constant(f"{stem}/scale", np.float32(scale)),
                     self._constant(f"{stem}/zero_point", np.int8(0))]  # fmt: skip
        self.shared[quantised, scale] = f"{stem}/dq"
        return [self._node("DequantizeLinear", [quantised, *constants], f"{stem}/dq", f"{stem}/dq")]

    def _array(self, name: str) -> Array | None:
        tensor = self._constants.get(name)
        return None if tensor is None else self._onnx.numpy_helper.to_array(tensor)

    def _constant(self, name: str, array: Array | np.generic) -> str:
        values = np.ascontiguousarray(array).reshape(array.shape)
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(values, name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, name: str) -> onnx.NodeProto:
        return self._onnx.helper.make_node(kind, inputs, [output], name=name)


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove what dequantises weights for nobody."""
    import onnx

    read = {name for node in all_nodes(graph) for name in node.input} | {value.name for value in graph.output}
    kept = [n for n in graph.node if n.op_type != "DequantizeLinear" or n.output[0] in read]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(kept)
