"""latency.json and samples.json: how long a call takes, with intervals, and what was measured on what."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from trtbuild.documents.deviation import RuntimeFacts
from trtbuild.documents.schema import LATER, Limit

Label = Literal["improved", "regressed", "no change", "inconclusive"]


class Bounds(TypedDict):
    """A value with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


class MaybeBounds(TypedDict):
    """A value whose interval is None where there are too few calls."""

    value: float
    low: float | None
    high: float | None


class RoundFacts(TypedDict):
    n: int
    p50_ms: float
    min_ms: float


class Outliers(TypedDict):
    mild_high: int
    mild_low: int
    severe_high: int
    severe_low: int


class SideNumbers(TypedDict, total=False):
    """Statistics of one side's calls (latency/timing.py); a percentile is None where there are too few calls."""

    n: int
    n_eff: float
    block: int
    mean_ms: Bounds
    min_ms: float
    max_ms: float
    cv: float | None
    throughput_per_s: float | None
    outliers: Outliers
    rounds: list[RoundFacts]
    p50_ms: MaybeBounds
    p90_ms: Bounds | None
    p99_ms: Bounds | None


class _MeasuredOrNot(TypedDict):
    measured: bool


class Side(_MeasuredOrNot, SideNumbers, total=False):
    """The times of one side; where its runtime cannot run it, ``why`` replaces all numbers."""

    about: RuntimeFacts
    why: str


class NodeTime(TypedDict):
    name: str
    op_type: str
    ms: float
    share: float | None
    cumulative: float | None


class OpTypeTime(TypedDict):
    op_type: str
    ms: float
    share: float | None
    nodes: int


class ProfileNumbers(TypedDict, total=False):
    """Time by node and op type (graphs/profile.py), beside the latency without a profiler."""

    runs: int
    nodes: int
    sum_ms: float
    latency_ms: float
    ratio: float | None
    coarse: int
    top: list[NodeTime]
    op_types: list[OpTypeTime]


class Profile(_MeasuredOrNot, ProfileNumbers, total=False):
    """The profile of the side that is shipped, with ``kernels`` by op type; or ``why`` there is none."""

    kernels: dict[str, int]
    why: str


class Settings(TypedDict):
    warmup_s: float
    seconds: float
    rounds: int
    baseline: str | None


class LatencyVerdict(TypedDict):
    """Better or worse than the baseline, judged by ratios beyond ``noise``."""

    label: Label
    noise: float
    against: str


class _Environment(TypedDict):
    machine: str
    cpu: str
    cores: int
    cpu_quota: str
    threads: int


class Environment(_Environment, total=False):
    """The machine that measured (machine/device.py), and its GPU where that computed."""

    gpu: str
    compute_capability: str
    driver: str
    clock_mhz: str
    governor: str
    load_average: str
    kernel: str
    stolen: dict[str, int]


class _Measurement(TypedDict):
    batch: Annotated[int, Limit("minimum", 1)]
    settings: Settings
    source_kind: str
    ratios: dict[str, Bounds]
    verdict: LatencyVerdict | None
    profile: Profile
    warnings: list[str]
    environment: Environment


class Latency(_Measurement):
    """latency.json; ``ratios``: the shipped side / another side, by the name of the other."""

    sides: dict[str, Side]


class SideSamples(TypedDict):
    rounds: list[list[float]]
    starts_s: list[float]


class Samples(TypedDict):
    """samples.json: the time of every call, round by round, and when each round began."""

    unit: Literal["us"]
    sides: dict[str, SideSamples]


class ReportedSide(Side):
    name: str
    title: str


class Strip(TypedDict):
    """Points against time, None between rounds."""

    x: list[float | None]
    y: list[float | None]
    calls_a_point: int


class Pictures(TypedDict):
    """Samples in milliseconds, few enough to draw, by side."""

    strips: dict[str, Strip]
    edges_ms: list[float]
    histograms: dict[str, list[int]]
    quantiles_ms: dict[str, list[float]]
    rounds_ms: dict[str, list[float]]


class ReportedLatency(_Measurement):
    """The latency in report.json; ``subject``: the side that is shipped, ``on``: the device that computed it."""

    sides: list[ReportedSide]
    subject: Annotated[Literal["lowered", "engine"], LATER]
    on: Annotated[str, LATER]
    measured: bool
    speedup: Bounds | None
    pictures: Pictures | None
