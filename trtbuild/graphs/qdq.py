"""float32 -> int8 by QuantizeLinear/DequantizeLinear pairs in the graph, in the form that TensorRT accepts.

Symmetric (TensorRT refuses a zero point other than 0), activations per tensor, weights per output channel and stored
as int8, biases left in float32 (an int32 DequantizeLinear is refused), outputs not quantised (so that convolution,
bias and activation fuse, and a softmax keeps its range).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.core.spec.precision import FloatType
from trtbuild.graphs.cast import SUFFIX
from trtbuild.graphs.degenerate import SMALLEST_RANGE
from trtbuild.graphs.graph import drop_unused_initialisers

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.placement import Placement
    from trtbuild.graphs.residuals import Shortcut

LARGEST = 127  # -128 is unused: the range is symmetric
ZERO_RANGE = 1.0  # for what is zero throughout: any scale represents it, and this one keeps products of scales normal


@dataclass
class Quantisation:
    """Scales of activations, the number of scales of each weight, and the type that each DequantizeLinear gives."""

    scales: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    dequantised: dict[str, FloatType] = field(default_factory=dict)


def candidates(
    graph: onnx.GraphProto, types: Mapping[str, int], placement: Placement
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Nodes to quantise, and why others of the wanted types are not."""
    import onnx

    constants = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    chosen, kept = [], {}
    for node in graph.node:
        operands, form = list(node.input[:2]), placement.requested(node)
        if not form.quantised or node.op_type not in form.quantize_ops:
            continue
        if placement.excludes(node):
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


def activations(nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto) -> list[str]:
    """Tensors whose range has to be measured, in graph order; what is dequantised already has one."""
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return list(dict.fromkeys(name for node in nodes for name in node.input[:2] if name not in constants))


def insert(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], ranges: Mapping[str, float],
    shortcuts: Iterable[Shortcut] = (), placement: Placement | None = None,
) -> Quantisation:  # fmt: skip
    """Put Q/DQ pairs before the operands of ``nodes`` and before ``shortcuts``, and int8 weights in place of float32
    ones, in ``model``.

    All of it is float32 so far; with a ``placement``, scales are such that the types of its nodes hold them.
    """
    import onnx

    slots = {node.name: (0, 1) for node in nodes} | {one.node: (one.slot,) for one in shortcuts}
    graph, writer = model.graph, _PairWriter(model.graph, ranges, placement)
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
    """Makes each Q/DQ pair once; several consumers of a tensor share it, those of one type its DequantizeLinear."""

    def __init__(self, graph: onnx.GraphProto, ranges: Mapping[str, float], placement: Placement | None) -> None:
        import onnx

        self._onnx, self._graph, self._ranges, self._placement = onnx, graph, ranges, placement
        self._types = placement.float_types if placement else frozenset[FloatType]()
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._trained = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
        self._stored: dict[tuple[str, int | None], list[str]] = {}
        self._made: dict[tuple[str, int | None, FloatType], str] = {}
        self._waiting: list[onnx.NodeProto] = []
        self.report = Quantisation()

    def take(self) -> list[onnx.NodeProto]:
        """The nodes made since the last call, to stand before their consumer."""
        taken, self._waiting = self._waiting, []
        return taken

    def operand(self, node: onnx.NodeProto, slot: int, name: str) -> str:
        """The dequantised form of an operand, in the type of the node; one that is has its range from training."""
        if name in self._trained:
            return name
        tensor = self._constants.get(name)
        axis = None if tensor is None else weight_axis(node, slot, len(tensor.dims))
        kind: FloatType = self._placement.of(node).float_type if self._placement else "float32"
        if (name, axis) not in self._stored:
            stored = self._activation(name) if tensor is None else self._weight(name, tensor, axis or 0)
            self._stored[name, axis] = stored
        if (name, axis, kind) not in self._made:
            stem = name if axis is None else f"{name}/axis{axis}"
            several = any(other[:2] == (name, axis) for other in self._made)
            output = f"{stem}/dq_{SUFFIX[kind]}" if several else f"{stem}/dq"
            self._made[name, axis, kind] = self._node("DequantizeLinear", self._stored[name, axis], output, axis)
            self.report.dequantised[output] = kind
        return self._made[name, axis, kind]

    def _activation(self, name: str) -> list[str]:
        scale = held(_representable(np.float64(self._ranges[name])) / LARGEST, self._types, name).item()
        self.report.scales[name] = scale
        constants = [
            self._constant(f"{name}/scale", np.float32(scale)),
            self._constant(f"{name}/zero_point", np.int8(0)),
        ]
        return [self._node("QuantizeLinear", [name, *constants], f"{name}/q"), *constants]

    def _weight(self, name: str, tensor: onnx.TensorProto, axis: int) -> list[str]:
        array = self._onnx.numpy_helper.to_array(tensor)
        if not np.isfinite(array).all():
            raise LowerError(f"weights '{name}' have NaN or infinity", where="lower", hint="train or export it again")
        values, scales = quantise_weight(array, axis, self._types, name)
        self.report.weights[name] = len(scales)
        stem = f"{name}/axis{axis}"
        return [
            self._constant(f"{stem}/q", values),
            self._constant(f"{stem}/scale", scales),
            self._constant(f"{stem}/zero_point", np.zeros(len(scales), np.int8)),
        ]

    def _constant(self, name: str, array: Array | np.generic) -> str:
        self._graph.initializer.append(
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def _node(self, kind: str, inputs: list[str], output: str, axis: int | None = None) -> str:
        self._waiting.append(self._onnx.helper.make_node(kind, inputs, [output], name=output, axis=axis))
        return output


def quantise_weight(
    array: Array, axis: int, types: Collection[FloatType] = (), name: str = "weight"
) -> tuple[Array, Array]:
    """int8 values and one scale for each index of ``axis`` (round half to even, as QuantizeLinear does).

    The scales are float32, and values that ``types`` hold.
    """
    others = tuple(i for i in range(array.ndim) if i != axis)
    scales = held(_representable(np.abs(array).max(axis=others)) / LARGEST, types, name).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    rounded = np.rint(array / scales.reshape(shape))
    return np.clip(rounded, -LARGEST, LARGEST).astype(np.int8), scales


def held(scales: Array, types: Collection[FloatType], name: str) -> Array:
    """The least values from ``scales`` on that each of ``types`` holds, so that both sides of a pair have the same one.

    Rounding up clips nothing.  float32 is left to the nearest one.
    """
    import ml_dtypes

    for kind in ("bfloat16", "float16"):
        if kind in types:
            dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else np.float16)
            with np.errstate(over="ignore"):
                low = scales.astype(np.float32).astype(dtype)
            up = np.nextafter(low, dtype.type(np.inf))
            low = np.where(low.astype(np.float64) < scales, up, low).astype(np.float64)
            if not np.isfinite(low).all():
                hint = "choose rest: bfloat16 or float32, or keep its scope in float32 (overrides)"
                raise LowerError(f"'{name}' is too large for a scale in {kind}", where="lower", hint=hint)
            scales = low
    return scales


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
