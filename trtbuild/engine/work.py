"""What one layer moves and computes, from the shapes and types in its record; None where they leave it open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from trtbuild.engine import dialect
from trtbuild.engine.values import EngineLayer, Tensor
from trtbuild.latency.flame.layers import macs as macs_of_record


@dataclass(frozen=True)
class Work:
    """Bytes read, written and held in constants, and multiply-accumulates, with dynamic dimensions at opt."""

    read: int | None
    written: int | None
    constants: int | None  # 0 for versions that do not list them: see Inspection.constants_told
    macs: int | None

    @property
    def bytes(self) -> int | None:
        parts = (self.read, self.written, self.constants)
        return None if any(part is None for part in parts) else sum(part or 0 for part in parts)


def work(layer: EngineLayer, optimum: int | None) -> Work:
    constants = total(layer.constants or (), optimum)
    if layer.constants is None and layer.weights is not None:
        kind, count = layer.weights
        constants = Tensor("weights", (count,), kind).bytes(optimum)
    return Work(total(layer.inputs, optimum), total(layer.outputs, optimum), constants, macs(layer, optimum))


def total(tensors: tuple[Tensor, ...], optimum: int | None) -> int | None:
    """The bytes of some tensors; None if those of any are unknown."""
    sizes = [tensor.bytes(optimum) for tensor in tensors]
    return None if None in sizes else sum(size or 0 for size in sizes)


def macs(layer: EngineLayer, optimum: int | None) -> int | None:
    """Multiply-accumulates, including those of channels that the engine pads.

    Convolution: output elements times weights per output channel (transposed: input elements times weights per input
    channel).  Matrix product: output elements times the inner dimension.  0 for all other layers.
    """
    if layer.kind not in ("convolution", "product") and not dialect.multiplies_and_sums(layer.name):
        return 0
    if layer.weights is not None or "Kernel" in layer.entry:
        return macs_of_record(_fixed(layer.entry, optimum))
    if not layer.inputs or not layer.outputs:
        return None
    elements = layer.outputs[0].elements(optimum)
    if layer.kind == "convolution":
        weights = _weights(layer)
        # Weights of a transposed convolution begin with the channels that it reads, and spread each of their values.
        each = layer.inputs[0].elements(optimum) if layer.type == "deconv" else elements
        return None if weights is None or each is None else each * prod(weights.shape[1:])
    return None if elements is None else _product(layer, elements, optimum)


def _fixed(entry: Mapping[str, Any], optimum: int | None) -> Mapping[str, Any]:
    """A record whose dynamic dimensions are the profile's opt, if that is known."""
    if optimum is None:
        return entry

    def side(key: str) -> list[Any]:
        tensors = entry.get(key)
        return [
            {**one, "Dimensions": [optimum if size == -1 else size for size in one["Dimensions"]]}
            if isinstance(one, Mapping) and isinstance(one.get("Dimensions"), list) else one
            for one in (tensors if isinstance(tensors, list) else [])
        ]  # fmt: skip

    return {**entry, "Inputs": side("Inputs"), "Outputs": side("Outputs")}


def _weights(layer: EngineLayer) -> Tensor | None:
    """A convolution's largest constant of its result's rank; else an input that fits its channels: computed weights."""
    out, first = layer.outputs[0].shape, layer.inputs[0].shape
    if layer.constants is None or len(out) < 3 or len(first) < 3:
        return None
    fitting = [one for one in layer.constants if len(one.shape) == len(out) and one.shape[0] > 1]
    channels = first[1] if layer.type == "deconv" else out[1]
    computed = [one for one in layer.inputs[1:] if len(one.shape) == len(out) and one.shape[0] == channels]
    found = [one for one in fitting or computed if min(one.shape) > 0]
    return max(found, key=lambda tensor: prod(tensor.shape), default=None)


def _product(layer: EngineLayer, elements: int, optimum: int | None) -> int | None:
    """Output elements times the inner dimension K of the first operand and the largest other operand that fits it.

    For operands [.., M, K] and [.., K, N], each transposed or not, the product of their element counts is K x K x the
    output's elements x their common batch.  A kernel that multiplies and sums may read its first operand unflattened;
    K is then the constant's elements per column.
    """
    sized = [(tensor.shape, tensor.elements(optimum)) for tensor in (*layer.inputs, *(layer.constants or ()))]
    operands = [(shape, count) for shape, count in sized if len(shape) > 1 and count]
    if not elements or len(operands) < 2:
        return None
    (shape, count), columns = operands[0], layer.outputs[0].shape[-1]
    for other, size in sorted(operands[1:], key=lambda one: -one[1]):
        for inner in sorted(set(shape[-2:]) & set(other[-2:]), reverse=True):
            shared, rest = divmod(count * size, inner * inner * elements) if inner > 0 else (0, 1)
            if rest == 0 and (shared == 1 or shared == _lead(shape, optimum) == _lead(other, optimum)):
                return elements * inner
        if columns > 0 and size % columns == 0 and count * columns == elements * (size // columns):
            return elements * (size // columns)
    return None


def _lead(shape: tuple[int, ...], optimum: int | None) -> int:
    return prod((optimum or 0) if size < 0 else size for size in shape[:-2])
