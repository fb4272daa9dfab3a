"""What is read from a compiled engine: frozen values; ``None`` where TensorRT does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

Kind = Literal[
    "convolution", "product", "pooling", "pointwise", "reformat", "shuffle", "softmax", "reduce", "constant",
    "region", "control", "shape", "nothing", "unknown",
]  # fmt: skip
# Layers that do multiply-accumulates; a promised node ends in one of these where it can.
COMPUTE: tuple[Kind, ...] = ("convolution", "product")
BITS: Mapping[str, int] = {
    "float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "uint8": 8, "int32": 32, "int64": 64, "bool": 8,
    "float8": 8, "int4": 4, "float4": 4, "float64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """What a layer reads or writes.

    ``shape`` has -1 for a dynamic dimension; ``type`` and ``layout`` are "" where they are unknown.
    """

    name: str
    shape: tuple[int, ...]
    type: str = ""
    layout: str = ""

    def elements(self, dynamic: int | None) -> int | None:
        """The number of elements, with ``dynamic`` in place of every -1; None where that is needed and not given."""
        if any(size < 0 for size in self.shape):
            return None if dynamic is None else prod(dynamic if size < 0 else size for size in self.shape)
        return prod(self.shape)

    def bytes(self, dynamic: int | None) -> int | None:
        """Elements times the size of the type, without the padding that a vectorised layout adds."""
        elements, bits = self.elements(dynamic), BITS.get(self.type)
        return None if elements is None or bits is None else -(-elements * bits // 8)


@dataclass(frozen=True)
class EngineLayer:
    """One layer, in execution order.

    ``type`` and ``tactic`` are TensorRT's words.  ``constants`` and ``nodes`` (ONNX nodes) are None for versions that
    do not list them; ``weights`` is (type, count) where the record has that instead of constants.
    """

    name: str
    kind: Kind
    type: str = ""
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    constants: tuple[Tensor, ...] | None = None
    tactic: str = ""
    stream: int = 0
    nodes: tuple[str, ...] | None = None
    weights: tuple[str, int] | None = None
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)  # the record itself

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.inputs, *(self.constants or ()), *self.outputs)


@dataclass(frozen=True)
class Memory:
    """Memory in bytes, at the profile's maximum."""

    activation: int | None = None
    weights: int | None = None
    scratch: int | None = None
    host_persistent: int | None = None
    device_persistent: int | None = None


@dataclass(frozen=True)
class Unread:
    """Text that was not understood, word for word; ``line`` counts from 1, 0 where the source has no lines."""

    line: int
    text: str
    why: str


@dataclass(frozen=True)
class Engine:
    """``optimum`` stands in for dynamic dimensions: the single size that all of them have at the profile's opt."""

    source: str
    layers: tuple[EngineLayer, ...]
    bindings: tuple[str, ...] = ()
    memory: Memory = Memory()
    optimum: int | None = None
    unread: tuple[Unread, ...] = ()
    idle_pairs: tuple[str, ...] = ()  # QuantizeLinear nodes of the graph that let nothing run quantised
    profiles: int = 1  # optimisation profiles; the layers are those of the first

    @property
    def detailed(self) -> bool:
        """Whether the record has more than the layers' names."""
        return any(layer.tensors for layer in self.layers)

    @property
    def dynamic(self) -> bool:
        return any(size < 0 for layer in self.layers for tensor in layer.tensors for size in tensor.shape)
