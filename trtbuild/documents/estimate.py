"""estimate.json: a lower bound of every engine layer's time on a device, and what report.json keeps of it."""

from __future__ import annotations

from typing import Literal, TypedDict

Bounded = Literal["memory", "arithmetic", "launch", "nothing"]


class LayerEstimate(TypedDict):
    name: str
    operation: str  # of TensorFlow, "" where none is known
    kind: str
    type: str  # of the largest input
    us: float
    limit: Bounded
    memory_us: float | None
    arithmetic_us: float | None


class DeviceNumbers(TypedDict):
    """By data sheet: 10^9 bytes and 10^12 operations a second."""

    name: str
    compute_capability: str
    bandwidth_gb_s: float
    peak_tops: dict[str, float]
    launch_us: float
    sources: dict[str, str]


class _Estimated(TypedDict):
    """``says``: that nothing was measured."""

    schema_version: Literal[1]
    says: str
    device: DeviceNumbers
    notes: list[str]
    total_us: float
    by_limit_us: dict[str, float]


class Estimate(_Estimated):
    layers: list[LayerEstimate]


class KindEstimate(TypedDict):
    kind: str
    type: str
    layers: int
    us: float


class RankedLayer(LayerEstimate):
    index: int


class ReportedEstimate(_Estimated):
    """All but the layers that are not among the slowest; ``counted``: those that cost anything."""

    layers: int
    counted: int
    by_kind: list[KindEstimate]
    top: list[RankedLayer]
