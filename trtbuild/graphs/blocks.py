"""Weights in blocks along the input channels: int4 with a scale for each block, and NVFP4 with scales of two levels.

TensorRT dequantises them as they are read; blocks must run along the last or the last but one of two dimensions
(RTX 1.7), so a convolution's weights are stored as one row for each output channel, its input channels innermost, and
take their shape again behind that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.core.spec import Form
from trtbuild.core.spec.precision import FloatType
from trtbuild.graphs.cast import DYNAMIC
from trtbuild.graphs.lowtypes import FLOAT4, FLOAT4_LARGEST, FLOAT8, FLOAT8_LARGEST, INT4, INT4_LARGEST, held

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

    Constant = Callable[[str, Array | np.generic], str]
    Node = Callable[..., str]

FLOAT4_BLOCK = 16
DOMAIN = "trt"
_FLOAT8 = 17  # onnx.TensorProto.FLOAT8E4M3FN, as the scales' type


def why_not(node: onnx.NodeProto, dims: dict[str, list[int]], form: Form) -> str:
    """Why a node's weights cannot be written in blocks; "" if they can.  ``dims``: of constants, by name."""
    weights = dims.get(node.input[1])
    if weights is None:
        return "its weights are not constant"
    count = weights[input_axis(node, len(weights))]
    block = form.block or FLOAT4_BLOCK
    if count % block:
        return f"its {count} input channels are not a multiple of the block of {block}"
    if form.activations and any(a.name == "transA" and a.i for a in node.attribute):
        return "its activations are transposed"
    return ""


def input_axis(node: onnx.NodeProto, rank: int) -> int:
    """The axis of a weight (slot 1) that runs over input channels."""
    if node.op_type == "Conv":
        return 1
    if node.op_type == "ConvTranspose":
        return 0
    if node.op_type == "Gemm":
        return 1 if any(a.name == "transB" and a.i for a in node.attribute) else 0
    return rank - 2


def weight(
    name: str, array: Array, axis: int, form: Form, types: Collection[FloatType], constant: Constant, node: Node
) -> tuple[str, int]:
    """Write a weight and the nodes that give its dequantised form; returns that, and the number of scales.

    Args:
        constant: adds an initialiser; node: adds a node (type, inputs, output, type of its result, attributes).
    """
    stem, convolution = f"{name}/blocks{axis}", array.ndim > 2 and axis < array.ndim - 2
    order = [i for i in range(array.ndim) if i != axis] + [axis]
    stored = np.ascontiguousarray(array.transpose(order)) if convolution else array
    shape, along = stored.shape, array.ndim - 1 if convolution else axis
    if convolution:
        stored, along = stored.reshape(_rows(shape), -1), 1
    kind, output = form.float_type, f"{stem}/dq"
    if form.kind == "int4":
        values, scales = int4(stored, along, form.block, types, name)
        inputs = [constant(f"{stem}/q", values), constant(f"{stem}/scale", scales)]
        node("DequantizeLinear", inputs, output, kind, axis=along, block_size=form.block)
    else:
        values, scales, whole = float4(stored, along, kind)
        inner = [constant(f"{stem}/scale", scales), constant(f"{stem}/scale_of_scales", np.float32(whole))]
        node("DequantizeLinear", inner, f"{stem}/scale/dq", "float32")
        inputs = [constant(f"{stem}/q", values), f"{stem}/scale/dq"]
        node("DequantizeLinear", inputs, output, kind, axis=along, block_size=FLOAT4_BLOCK)
    if convolution:
        node("Reshape", [output, constant(f"{stem}/shape", np.array(shape, np.int64))], f"{stem}/rows", kind)
        back = [order.index(i) for i in range(len(order))]
        output = node("Transpose", [f"{stem}/rows"], f"{stem}/weights", kind, perm=back)
    return output, scales.size


def _rows(shape: tuple[int, ...]) -> int:
    """As many rows as output channels, but with several in each where a row would have one dimension only.

    RTX 1.7 moves a reshape that only adds dimensions of 1 before the DequantizeLinear, and fails.
    """
    first, *others = shape
    if any(size > 1 for size in others[:-1]):
        return first
    return first // next((divisor for divisor in range(2, first) if first % divisor == 0), first)


def activation(name: str, largest: float, kind: FloatType, constant: Constant, node: Node) -> str:
    """Quantise along the last axis in blocks whose scales are computed as the engine runs, and dequantise."""
    whole = constant(f"{name}/scale_of_scales", np.float32(whole_scale(largest)))
    node(DYNAMIC, [name, whole], f"{name}/q", scales=f"{name}/block_scale", domain=DOMAIN, axis=-1,
         block_size=FLOAT4_BLOCK, scale_type=_FLOAT8)  # fmt: skip
    node("DequantizeLinear", [f"{name}/block_scale", whole], f"{name}/block_scale/dq", "float32")
    return node("DequantizeLinear", [f"{name}/q", f"{name}/block_scale/dq"], f"{name}/dq", kind, axis=-1,
                block_size=FLOAT4_BLOCK)  # fmt: skip


def int4(
    array: Array, axis: int, block: int, types: Collection[FloatType], name: str = "weight"
) -> tuple[Array, Array]:
    """int4 values (-8 is unused) and the scale of every block along ``axis``, which ``types`` hold."""
    largest = np.abs(_blocks(array, axis, block)).max(axis=axis + 1)
    scales = held(np.where(largest == 0, 1.0, largest) / INT4_LARGEST, types, name).astype(np.float32)
    rounded = np.rint(array / np.repeat(scales, block, axis=axis))
    return np.clip(rounded, -INT4_LARGEST, INT4_LARGEST).astype(INT4), scales


def float4(array: Array, axis: int, kind: FloatType) -> tuple[Array, Array, np.float32]:
    """E2M1 values, an E4M3 scale for every block along ``axis``, and the float32 scale of all those scales.

    Values are rounded against the product of both in ``kind``, which is what they are multiplied by.
    """
    largest = np.abs(_blocks(array, axis, FLOAT4_BLOCK)).max(axis=axis + 1)
    whole = whole_scale(float(largest.max(initial=0.0)))
    scales = np.minimum(largest / (FLOAT4_LARGEST * whole), FLOAT8_LARGEST).astype(np.float32).astype(FLOAT8)
    steps = np.repeat(_in_type(scales.astype(np.float32) * whole, kind), FLOAT4_BLOCK, axis=axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(steps == 0, 0, array / np.where(steps == 0, 1, steps))
    return np.clip(ratio, -FLOAT4_LARGEST, FLOAT4_LARGEST).astype(FLOAT4), scales, whole


def whole_scale(largest: float) -> np.float32:
    """The float32 scale with which the scale of a block that reaches ``largest`` is E4M3's largest number."""
    return np.float32((largest or 1.0) / (FLOAT4_LARGEST * FLOAT8_LARGEST))


def _in_type(values: Array, kind: FloatType) -> Array:
    from ml_dtypes import bfloat16

    low = {"float16": np.float16, "bfloat16": bfloat16}.get(kind, np.float32)
    return values.astype(low).astype(np.float32)


def _blocks(array: Array, axis: int, block: int) -> Array:
    shape = (*array.shape[:axis], array.shape[axis] // block, block, *array.shape[axis + 1 :])
    return array.reshape(shape)
