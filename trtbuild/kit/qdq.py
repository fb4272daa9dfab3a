"""float32 -> int8 by QuantizeLinear/DequantizeLinear pairs in the graph, in the form that TensorRT accepts.

Symmetric (TensorRT refuses a zero point other than 0), activations per tensor, weights per output channel and stored
as int8, biases left in float32 (an int32 DequantizeLinear is refused), outputs not quantised (so that convolution,
bias and activation fuse, and a softmax keeps its range).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtbuild.errors import LowerError
from trtbuild.kit.data import Batch, Samples
from trtbuild.kit.degenerate import SMALLEST_RANGE, Extent, Observed
from trtbuild.kit.graph import drop_unused_initialisers
from trtbuild.quantizers import Quantizer

WATCHED_BYTES = 500_000_000  # of all watched tensors in one call
LARGEST = 127  # -128 is unused: the range is symmetric
ZERO_RANGE = 1.0  # of what is zero throughout: any scale represents it, and this one keeps products of scales normal


@dataclass
class Quantised:
    """Scales of activations, and the number of scales of each weight."""

    scales: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)


def candidates(
    graph: Any, types: Mapping[str, int], op_types: Iterable[str], keep: Callable[[Any], bool]
) -> tuple[list[Any], dict[str, str]]:
    """Nodes to quantise, and the reasons for those of the wanted types that are not."""
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


def activations(nodes: Iterable[Any], graph: Any) -> list[str]:
    """Tensors whose range has to be measured, in graph order."""
    constants = {tensor.name for tensor in graph.initializer}
    return list(dict.fromkeys(name for node in nodes for name in node.input[:2] if name not in constants))


def calibrate(
    model: Any, tensors: list[str], parts: Sequence[Samples], inputs: Mapping[str, Any], batch: int,
    quantizer: Quantizer,
) -> Observed:  # fmt: skip
    """Run the float32 graph on all samples and show the quantizer every tensor; each part is of one size.

    The runtime may sum in another order for another batch: values differ by their last bits then, and so may ranges.
    """
    import onnx

    from trtbuild.errors import DataError
    from trtbuild.runtimes.onnxruntime import session_of

    feeds_only = {value.name for value in model.graph.input} & set(tensors)
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    computed = [name for name in tensors if name not in feeds_only]
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in computed)
    session = session_of(watched, "the exported graph") if computed else None
    seen = Observed(sum(part.count for part in parts), {n: Extent() for n in inputs}, {n: Extent() for n in tensors})
    calls = ((c, part.where) for part in parts for c in part.batches(inputs, _rows(session, part, inputs, batch)))
    for call, where in calls:
        values = session.run(call.feeds) if session else {}
        values |= {name: call.feeds[name] for name in feeds_only}
        for name, extent in seen.inputs.items():
            extent.see(call.feeds[name])
        for name, extent in seen.tensors.items():
            value = values.pop(name)  # freed as soon as it was seen
            if not np.isfinite(value).all():
                raise DataError(f"'{name}' becomes NaN or infinite during calibration", where=where)
            own = _own_rows(value, call)
            extent.see(own)
            quantizer.observe(name, own)
    return seen


def _rows(session: Any, part: Samples, inputs: Mapping[str, Any], batch: int) -> int:
    """How many samples a call takes: ``batch``, or fewer where all that is watched would not fit the budget."""
    if session is None or min(batch, part.count) == 1:
        return batch
    first = next(iter(part.batches(inputs, 1)))
    one: int = sum(value.nbytes for value in session.run(first.feeds).values())
    return max(1, min(batch, WATCHED_BYTES // max(one, 1)))


def _own_rows(values: np.ndarray[Any, Any], call: Batch) -> np.ndarray[Any, Any]:
    """Without what padding made, where the rows of a tensor are those of the samples, or so many of each."""
    size = next((len(array) for array in call.feeds.values() if array.ndim), 1)
    if not call.padded or not values.ndim or len(values) % size:
        return values
    return values[: call.rows * (len(values) // size)]


def insert(model: Any, nodes: list[Any], ranges: Mapping[str, float]) -> Quantised:
    """Put Q/DQ pairs before the operands of ``nodes`` and int8 weights in place of float32 ones, in ``model``."""
    import onnx

    graph, chosen, writer = model.graph, {node.name for node in nodes}, _PairWriter(model.graph, ranges)
    ordered = []
    for original in list(graph.node):
        node = onnx.NodeProto.FromString(original.SerializeToString())
        if node.name in chosen:
            for slot, name in enumerate(node.input[:2]):
                node.input[slot] = writer.operand(node, slot, name)
        ordered += [*writer.take(), node]
    del graph.node[:]
    graph.node.extend(ordered)
    drop_unused_initialisers(graph)
    return writer.report


class _PairWriter:
    """Makes each Q/DQ pair once; several consumers of a tensor share it."""

    def __init__(self, graph: Any, ranges: Mapping[str, float]) -> None:
        import onnx

        self._onnx, self._graph, self._ranges = onnx, graph, ranges
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._made: dict[tuple[str, int | None], str] = {}
        self._waiting: list[Any] = []
        self.report = Quantised()

    def take(self) -> list[Any]:
        """The nodes made since the last call, to stand before their consumer."""
        taken, self._waiting = self._waiting, []
        return taken

    def operand(self, node: Any, slot: int, name: str) -> str:
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

    def _weight(self, name: str, tensor: Any, axis: int) -> str:
        array = self._onnx.numpy_helper.to_array(tensor)
        if not np.isfinite(array).all():
            raise LowerError(f"weights '{name}' have NaN or infinity", where="lower", hint="train or export it anew")
        values, scales = quantise_weight(array, axis)
        self.report.weights[name] = len(scales)
        stem = f"{name}/axis{axis}"
        constants = [
            self._constant(f"{stem}/q", values),
            self._constant(f"{stem}/scale", scales),
            self._constant(f"{stem}/zero_point", np.zeros(len(scales), np.int8)),
        ]
        return self._node("DequantizeLinear", constants, f"{stem}/dq", axis=axis)

    def _constant(self, name: str, array: Any) -> str:
        self._graph.initializer.append(
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: int) -> str:
        self._waiting.append(self._onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def quantise_weight(array: np.ndarray[Any, Any], axis: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """int8 values and one float32 scale for each index of ``axis`` (round half to even, as QuantizeLinear does)."""
    others = tuple(i for i in range(array.ndim) if i != axis)
    scales = (_representable(np.abs(array).max(axis=others)) / LARGEST).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    rounded = np.rint(array / scales.reshape(shape))
    return np.clip(rounded, -LARGEST, LARGEST).astype(np.int8), scales


def _representable(ranges: Any) -> Any:
    """Ranges that have a scale above zero, and no denormal one."""
    return np.where(ranges == 0.0, ZERO_RANGE, np.maximum(ranges, SMALLEST_RANGE))


def weight_axis(node: Any, slot: int, rank: int) -> int:
    """The axis of a constant operand that runs over output channels."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    if node.op_type == "Gemm":
        transposed = any(a.name == ("transB" if slot else "transA") and a.i for a in node.attribute)
        return (0 if transposed else 1) if slot else (1 if transposed else 0)
    return max(0, rank - 1 if slot else rank - 2)  # MatMul: columns of B, rows of A
