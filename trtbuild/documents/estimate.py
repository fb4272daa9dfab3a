"""estimate.json: a lower bound of every engine layer's time on a device, and the part that report.json keeps."""

from __future__ import annotations

from typing import Literal, TypedDict

Bounded = Literal["memory", "arithmetic", "launch", "nothing"]


class LayerEstimate(TypedDict):
    name: str
    operation: str  # in TensorFlow, "" where it is not known
    kind: str
    type: str  # of the largest input
    us: float
    limit: Bounded
    memory_us: float | None
    arithmetic_us: float | None


class DeviceNumbers(TypedDict):
    """A device by its data sheet, in 10^9 bytes and 10^12 operations per second."""

    name: str
    compute_capability: str
    bandwidth_gb_s: float
    peak_tops: dict[str, float]
    launch_us: float
    sources: dict[str, str]


class _Estimated(TypedDict):
    """estimate.json; ``says`` states that nothing was measured."""

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
    """The estimate with only the slowest layers; ``counted`` is the number of layers that cost anything."""

    layers: int
    counted: int
    by_kind: list[KindEstimate]
    top: list[RankedLayer]
