"""float32 -> int8 or E4M3 by QuantizeLinear/DequantizeLinear pairs, and weights in blocks, as TensorRT accepts them.

Symmetric (TensorRT refuses a zero point other than 0), activations per tensor, weights per output channel (in blocks:
graphs/blocks.py) and stored in the type, biases left in float (an int32 DequantizeLinear is refused), outputs not
quantised (so that convolution, bias and activation fuse, and a softmax keeps its range).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.core.spec import Form
from trtbuild.core.spec.precision import FloatType, LoweringKind
from trtbuild.graphs import blocks
from trtbuild.graphs.cast import SUFFIX
from trtbuild.graphs.degenerate import SMALLEST_RANGE
from trtbuild.graphs.graph import drop_unused_initialisers
from trtbuild.graphs.lowtypes import INT8_LARGEST, STORED, held, rounded

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.placement import Placement
    from trtbuild.graphs.residuals import Shortcut

LARGEST = INT8_LARGEST
DEPTHWISE = "depthwise: int8 pads each of its channels to four (quantize_depthwise)"
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

    dims = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    constants = {name: len(shape) for name, shape in dims.items()}
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
        elif form.kind == "int8" and not form.quantize_depthwise and is_depthwise(node, dims):
            kept[node.name] = DEPTHWISE
        elif form.blockwise and (why := blocks.why_not(node, dims, form)):
            kept[node.name] = why
        else:
            chosen.append(node)
    return chosen, kept


def is_depthwise(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether each output channel of a convolution reads one input channel; ``shapes``: of constants."""
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    weights = shapes.get(node.input[1], ())
    return node.op_type == "Conv" and groups > 1 and len(weights) > 1 and weights[1] == 1


def activations(
    nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto, placement: Placement | None = None
) -> list[str]:
    """Tensors whose range has to be measured, in graph order; what is dequantised already has one."""
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    ranged = [node for node in nodes if placement is None or placement.of(node).calibrated]
    return list(dict.fromkeys(name for node in ranged for name in node.input[:2] if name not in constants))


def insert(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], ranges: Mapping[str, float],
    shortcuts: Iterable[Shortcut] = (), placement: Placement | None = None,
) -> Quantisation:  # fmt: skip
    """Put Q/DQ pairs before the operands of ``nodes`` and before ``shortcuts``, and quantised weights in place of
    float32 ones, in ``model``; all int8 without a ``placement``.

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
        self._stored: dict[tuple[str, int | None, LoweringKind], list[str]] = {}
        self._made: dict[tuple[str, int | None, LoweringKind, FloatType], str] = {}
        self._waiting: list[onnx.NodeProto] = []
        self.report = Quantisation()

    def take(self) -> list[onnx.NodeProto]:
        """The nodes made since the last call, to stand before their consumer."""
        taken, self._waiting = self._waiting, []
        return taken

    def operand(self, node: onnx.NodeProto, slot: int, name: str) -> str:
        """The dequantised form of an operand, in the type of the node; the operand itself where it has one already."""
        if name in self._trained:
            return name
        form = self._placement.of(node) if self._placement else Form("int8", "int8")
        tensor = self._constants.get(name)
        if form.blockwise:
            return self._in_blocks(node, name, tensor, form)
        kind: LoweringKind = form.kind if form.kind in STORED else "int8"
        axis = None if tensor is None else weight_axis(node, slot, len(tensor.dims))
        if (name, axis, kind) not in self._stored:
            several = any(other[:2] == (name, axis) for other in self._stored)
            stem = f"{name}/{kind}" if several else name
            self._stored[name, axis, kind] = (
                self._activation(name, stem, kind) if tensor is None else self._weight(stem, tensor, axis or 0, kind)
            )
        made = (name, axis, kind, form.float_type)
        if made not in self._made:
            stem = self._stored[made[:3]][0].removesuffix("/q")
            several = any(other[:3] == made[:3] for other in self._made)
            output = f"{stem}/dq_{SUFFIX[form.float_type]}" if several else f"{stem}/dq"
            inputs = self._stored[made[:3]]
            self._made[made] = self._node("DequantizeLinear", inputs, output, form.float_type, axis=axis)
        return self._made[made]

    def _in_blocks(self, node: onnx.NodeProto, name: str, tensor: onnx.TensorProto | None, form: Form) -> str:
        axis = None if tensor is None else blocks.input_axis(node, len(tensor.dims))
        made = (name, axis, form.kind, form.float_type)
        if tensor is None and not form.activations:
            return name
        if made in self._made:
            return self._made[made]
        if tensor is None:
            reach = _representable(np.float64(self._ranges[name])).item()
            self.report.scales[name] = float(blocks.whole_scale(reach))
            self._made[made] = blocks.activation(name, reach, form.float_type, self._constant, self._node)
            self._declare(name, f"{name}/dq", f"{name}/block_scale/dq")
        else:
            array = self._finite(name, tensor)
            self._made[made], self.report.weights[name] = blocks.weight(
                name, array, axis or 0, form, self._types, self._constant, self._node
            )
        return self._made[made]

    def _declare(self, name: str, *floats: str) -> None:
        """State types that inference cannot find behind an operation of TensorRT's own."""
        types = self._onnx.TensorProto
        kinds = {f"{name}/q": types.FLOAT4E2M1, f"{name}/block_scale": types.FLOAT8E4M3FN}
        kinds |= dict.fromkeys(floats, types.FLOAT)
        self._graph.value_info.extend(
            self._onnx.helper.make_tensor_value_info(tensor, kind, None) for tensor, kind in kinds.items()
        )

    def _activation(self, name: str, stem: str, kind: LoweringKind) -> list[str]:
        dtype, largest = STORED[kind]
        scale = held(_representable(np.float64(self._ranges[name])) / largest, self._types, name).item()
        self.report.scales[name] = scale
        constants = [
            self._constant(f"{stem}/scale", np.float32(scale)),
            self._constant(f"{stem}/zero_point", np.zeros((), dtype)),
        ]
        return [self._node("QuantizeLinear", [name, *constants], f"{stem}/q"), *constants]

    def _weight(self, name: str, tensor: onnx.TensorProto, axis: int, kind: LoweringKind) -> list[str]:
        array = self._finite(name, tensor)
        values, scales = quantise_weight(array, axis, self._types, name, kind)
        self.report.weights[tensor.name] = len(scales)
        stem = f"{name}/axis{axis}"
        return [
            self._constant(f"{stem}/q", values),
            self._constant(f"{stem}/scale", scales),
            self._constant(f"{stem}/zero_point", np.zeros(len(scales), values.dtype)),
        ]

    def _finite(self, name: str, tensor: onnx.TensorProto) -> Array:
        array = self._onnx.numpy_helper.to_array(tensor)
        if not np.isfinite(array).all():
            raise LowerError(f"weights '{name}' have NaN or infinity", where="lower", hint="train or export it again")
        return array

    def _constant(self, name: str, array: Array | np.generic) -> str:
        self._graph.initializer.append(
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def _node(
        self, op_type: str, inputs: list[str], output: str, kind: FloatType | None = None, *, scales: str | None = None,
        domain: str | None = None, **attributes: int | str | Sequence[int] | None,
    ) -> str:  # fmt: skip
        """``kind``: the floating-point type that it gives; ``scales``: its second output."""
        outputs = [output] if scales is None else [output, scales]
        made = self._onnx.helper.make_node(op_type, inputs, outputs, name=output, domain=domain)
        given = [self._onnx.helper.make_attribute(key, value) for key, value in attributes.items() if value is not None]
        made.attribute.extend(sorted(given, key=lambda attribute: attribute.name))
        self._waiting.append(made)
        if kind is not None:
            self.report.dequantised[output] = kind
        return output


def quantise_weight(
    array: Array, axis: int, types: Collection[FloatType] = (), name: str = "weight", kind: LoweringKind = "int8"
) -> tuple[Array, Array]:
    """Values and one scale for each index of ``axis`` (round half to even, as QuantizeLinear does).

    The scales are float32, and values that ``types`` hold.
    """
    others = tuple(i for i in range(array.ndim) if i != axis)
    scales = held(_representable(np.abs(array).max(axis=others)) / STORED[kind][1], types, name).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    return rounded(array / scales.reshape(shape), kind), scales


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
