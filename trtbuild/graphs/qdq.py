"""float32 -> int8 by QuantizeLinear/DequantizeLinear pairs in the graph, in the form that TensorRT accepts.

Symmetric (TensorRT refuses a zero point other than 0), activations per tensor, weights per output channel and stored
as int8, biases left in float32 (an int32 DequantizeLinear is refused), outputs not quantised (so that convolution,
bias and activation fuse, and a softmax keeps its range).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.graphs.degenerate import SMALLEST_RANGE
from trtbuild.graphs.graph import drop_unused_initialisers

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.residuals import Shortcut

LARGEST = 127  # -128 is unused: the range is symmetric
ZERO_RANGE = 1.0  # for what is zero throughout: any scale represents it, and this one keeps products of scales normal


@dataclass
class Quantisation:
    """Scales of activations, and the number of scales of each weight."""

    scales: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)


def candidates(
    graph: onnx.GraphProto, types: Mapping[str, int], op_types: Iterable[str], keep: Callable[[onnx.NodeProto], bool]
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Nodes to quantise, and why others of the wanted types are not."""
    import onnx

    constants = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    wanted, chosen, kept = set(op_types), [], {}
    for node in graph.node:
        if node.op_type not in wanted:
            continue
        operands = list(node.input[:2])
        if keep(node):
            kept[node.name] = "excluded by overrides"
        elif any(types.get(name) != onnx.TensorProto.FLOAT for name in operands):
            kept[node.name] = "not float32"
        elif all(name in constants for name in operands):
            kept[node.name] = "constant"
        elif any(constants.get(name, 2) < 2 for name in operands):
            kept[node.name] = "a vector has no output channels"
        else:
            chosen.append(node)
    return chosen, kept


def nodes_to_quantise(
    graph: onnx.GraphProto, types: Mapping[str, int], op_types: Collection[str], keep: Callable[[onnx.NodeProto], bool]
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """As :func:`candidates`; raises LowerError if there are none, since int8 would be float32 under another name."""
    nodes, kept = candidates(graph, types, op_types, keep)
    if not nodes:
        raise LowerError(
            f"nothing to quantise: the graph has no {', '.join(op_types)} outside loops and exclusions", where="lower",
            hint="an int8 engine would be float32 under another name; use fp16 or bf16",
        )  # fmt: skip
    return nodes, kept


def activations(nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto) -> list[str]:
    """Tensors whose range has to be measured, in graph order."""
    constants = {tensor.name for tensor in graph.initializer}
    return list(dict.fromkeys(name for node in nodes for name in node.input[:2] if name not in constants))


def insert(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], ranges: Mapping[str, float],
    shortcuts: Iterable[Shortcut] = (),
) -> Quantisation:  # fmt: skip
    """Put Q/DQ pairs before the operands of ``nodes`` and before ``shortcuts``, and int8 weights in place of float32
    ones, in ``model``."""
    import onnx

    slots = {node.name: (0, 1) for node in nodes} | {one.node: (one.slot,) for one in shortcuts}
    graph, writer = model.graph, _PairWriter(model.graph, ranges)
    ordered = []
    for original in list(graph.node):
        node = onnx.NodeProto.FromString(original.SerializeToString())
        for slot in slots.get(node.name, ()):
            node.input[slot] = writer.operand(node, slot, node.input[slot])
        ordered += [*writer.take(), node]
    del graph.node[:]
    graph.node.extend(ordered)
    drop_unused_initialisers(graph)
    return writer.report


class _PairWriter:
    """Makes each Q/DQ pair once; several consumers of a tensor share it."""

    def __init__(self, graph: onnx.GraphProto, ranges: Mapping[str, float]) -> None:
        import onnx

        self._onnx, self._graph, self._ranges = onnx, graph, ranges
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._made: dict[tuple[str, int | None], str] = {}
        self._waiting: list[onnx.NodeProto] = []
        self.report = Quantisation()

    def take(self) -> list[onnx.NodeProto]:
        """The nodes made since the last call, to stand before their consumer."""
        taken, self._waiting = self._waiting, []
        return taken

    def operand(self, node: onnx.NodeProto, slot: int, name: str) -> str:
        """The dequantised form of an operand."""
        tensor = self._constants.get(name)
        axis = None if tensor is None else weight_axis(node, slot, len(tensor.dims))
        if (name, axis) not in self._made:
            self._made[name, axis] = self._activation(name) if tensor is None else self._weight(name, tensor, axis or 0)
        return self._made[name, axis]

    def _activation(self, name: str) -> str:
        scale = _representable(np.float64(self._ranges[name])).item() / LARGEST
        self.report.scales[name] = scale
        constants = [
            self._constant(f"{name}/scale", np.float32(scale)),
            self._constant(f"{name}/zero_point", np.int8(0)),
        ]
        self._node("QuantizeLinear", [name, *constants], f"{name}/q")
        return self._node("DequantizeLinear", [f"{name}/q", *constants], f"{name}/dq")

    def _weight(self, name: str, tensor: onnx.TensorProto, axis: int) -> str:
        array = self._onnx.numpy_helper.to_array(tensor)
        if not np.isfinite(array).all():
            raise LowerError(f"weights '{name}' have NaN or infinity", where="lower", hint="train or export it again")
        values, scales = quantise_weight(array, axis)
        self.report.weights[name] = len(scales)
        stem = f"{name}/axis{axis}"
        constants = [
            self._constant(f"{stem}/q", values),
            self._constant(f"{stem}/scale", scales),
            self._constant(f"{stem}/zero_point", np.zeros(len(scales), np.int8)),
        ]
        return self._node("DequantizeLinear", constants, f"{stem}/dq", axis=axis)

    def _constant(self, name: str, array: Array | np.generic) -> str:
        self._graph.initializer.append(
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def _node(self, kind: str, inputs: list[str], output: str, axis: int | None = None) -> str:
        self._waiting.append(self._onnx.helper.make_node(kind, inputs, [output], name=output, axis=axis))
        return output


def quantise_weight(array: Array, axis: int) -> tuple[Array, Array]:
    """int8 values and one float32 scale for each index of ``axis`` (round half to even, as QuantizeLinear does)."""
    others = tuple(i for i in range(array.ndim) if i != axis)
    scales = (_representable(np.abs(array).max(axis=others)) / LARGEST).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    rounded = np.rint(array / scales.reshape(shape))
    return np.clip(rounded, -LARGEST, LARGEST).astype(np.int8), scales


def _representable(ranges: Array | np.generic) -> Array:
    """Ranges whose scale is above zero and not denormal."""
    return np.where(ranges == 0.0, ZERO_RANGE, np.maximum(ranges, SMALLEST_RANGE))


def weight_axis(node: onnx.NodeProto, slot: int, rank: int) -> int:
    """The axis of a constant operand that runs over output channels."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    if node.op_type == "Gemm":
        transposed = any(a.name == ("transB" if slot else "transA") and a.i for a in node.attribute)
        return (0 if transposed else 1) if slot else (1 if transposed else 0)
    return max(0, rank - 1 if slot else rank - 2)  # MatMul: columns of B, rows of A
