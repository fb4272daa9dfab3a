"""What is read and what it becomes: frozen values, times in integer nanoseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["layer", "reformat", "myelin", "tensorrt"]
Mode = Literal["anchor", "split", "macs"]
MODES: tuple[Mode, ...] = ("anchor", "split", "macs")
Reformats = Literal["inside", "apart"]
Rule = tuple[str, str]
Scope = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One layer of a profile: its mean time in one iteration."""

    name: str
    time_ns: int
    median_ns: int | None = None
    samples_ns: tuple[int, ...] = ()  # one for each iteration, where the file has them
    op: str = ""  # the operator, where the file has it (ONNX Runtime)


@dataclass(frozen=True)
class Profile:
    """Layers in execution order.

    ``iterations`` is None where the file does not say; ``latency_ms`` is that of the whole run, where the file has it.
    """

    source: str
    form: Literal["trtexec", "samples", "onnxruntime", "estimate"]
    rows: tuple[Row, ...]
    iterations: int | None
    latency_ms: float | None = None

    @property
    def total_ns(self) -> int:
        return sum(row.time_ns for row in self.rows)


@dataclass(frozen=True)
class Layer:
    """What the engine's inspector says of one layer; all but the name is empty in a names-only file."""

    name: str
    type: str = ""
    origin: str = ""
    metadata: str = ""
    tactic: str = ""
    stream: int = 0
    macs: int | None = None
    output_elements: int | None = None


@dataclass(frozen=True)
class Member:
    """One operation that was fused into a layer: ``path`` as its author wrote it, ``cost`` from 0 (shape) to 3."""

    name: str
    path: str
    cost: int


@dataclass(frozen=True)
class Piece:
    """A layer's time, or a part of it, and where it belongs."""

    row: int
    scope: Scope
    label: str
    kind: Kind
    time_ns: int


@dataclass(frozen=True)
class Graph:
    """A profile whose every nanosecond has a scope; pieces in execution order, those without time left out."""

    profile: Profile
    mode: Mode
    reformats: Reformats
    rules: tuple[Rule, ...]
    pieces: tuple[Piece, ...]
    members: tuple[tuple[str, ...], ...]  # for each row
    latency_ms: float | None
    latency_source: str
    multi_scope_ns: int
    reformat_ns: int
    unattributed_ns: int
    parallel_ns: int  # time of layers on streams after the first, which run beside others

    @property
    def total_ns(self) -> int:
        return self.profile.total_ns

    @property
    def zero_rows(self) -> int:
        return sum(row.time_ns == 0 for row in self.profile.rows)


def rounded(values: Sequence[float]) -> list[int]:
    """Integers whose sum is the rounded sum of ``values``: floors, then one more by largest remainder, first first.

    >>> rounded([1.4, 1.4, 1.4])
    [2, 1, 1]
    """
    import math

    floors = [math.floor(value) for value in values]
    missing = round(math.fsum(values)) - sum(floors)
    order = sorted(range(len(values)), key=lambda i: (floors[i] - values[i], i))
    for i in order[:missing]:
        floors[i] += 1
    return floors


def shared(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in proportion to ``weights``, in integers that add up to it; equal parts where all weights are zero.

    >>> shared(10, [1, 1, 1])
    [4, 3, 3]
    """
    weights = weights if sum(weights) > 0 else [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts
