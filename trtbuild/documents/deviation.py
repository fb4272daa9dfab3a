"""deviation.json, histograms.json and details.json: how far every output moves on every hop, in three parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypedDict

from trtbuild.documents.schema import LATER, Limit
from trtbuild.documents.verdict import WithWarnings

Row = Literal["sample", "call", "other"]  # what one row of an output stands for; "other": it depends on the data
Guilty = Literal["export", "ranges", "precision", "engine", "nobody"]
Metric = Literal[
    "max_abs", "mean_abs", "median_abs", "p90_abs", "p99_abs", "p999_abs", "rmse", "bias", "cosine", "sqnr_db",
    "median_rel", "p90_rel", "p99_rel", "p999_rel", "max_rel", "argmax_disagreement", "exact_share",
    "nonfinite_mismatch",
]  # fmt: skip


class _RuntimeFacts(TypedDict):
    runtime: str
    version: str
    executes: Literal["source model", "graph", "engine"]
    emulated: str | None


class RuntimeFacts(_RuntimeFacts, total=False):
    """The runtime that computed the numbers, and how it did."""

    providers: list[str]
    optimisation: str | None
    note: str | None
    clock: str
    copies: str


class RecordedOutputs(RuntimeFacts):
    """runtime.json: a runtime's facts, how many samples it ran, and what one row of each output stands for."""

    samples: int
    rows: dict[str, Row]


class WorstValue(TypedDict):
    index: list[int]
    reference: float
    value: float


class WorstElement(WorstValue):
    sample: int | None
    error: float | None


class Statistics(TypedDict):
    """The metrics of one output on one hop (deviation/statistics.py); None: no finite element, or no meaning."""

    count: int
    nan: int
    inf: int
    reference_nonfinite: int
    nonfinite_mismatch: int
    max_abs: float | None
    mean_abs: float | None
    median_abs: float | None
    p90_abs: Annotated[float | None, LATER]
    p99_abs: float | None
    p999_abs: float | None
    median_rel: Annotated[float | None, LATER]
    p90_rel: Annotated[float | None, LATER]
    p99_rel: Annotated[float | None, LATER]
    p999_rel: Annotated[float | None, LATER]
    max_rel: Annotated[float | None, LATER]
    relative_floor: Annotated[float | None, LATER]
    rmse: float | None
    bias: float | None
    argmax_disagreement: Annotated[float | None, LATER]
    cosine: float | None
    sqnr_db: float | None
    exact_share: float | None
    reference_rms: float | None
    worst: WorstValue | None


class Histogram(TypedDict):
    """Counts of log10 |error|; ``zero`` is exact equality."""

    zero: int
    below: int
    above: int
    counts: list[int]


class Channel(TypedDict):
    channel: int
    rmse: float | None
    max: float | None
    bias: float | None


class WorstChannels(TypedDict):
    axis: int
    count: int
    worst: Annotated[list[Channel], Limit("maxItems", 20)]


class PositionErrors(TypedDict):
    """Mean and largest error along two axes, in cells that begin at ``starts``."""

    axes: list[int]
    shape: list[int]
    starts: list[list[int]]
    mean: list[list[float | None]]
    max: list[list[float | None]]


class SampleError(TypedDict):
    sample: int
    max: float | None
    rmse: float | None


class SampleErrors(TypedDict):
    """Largest and RMS error of groups of samples that begin at ``first``, and the worst samples."""

    count: int
    first: list[int]
    max: list[float | None]
    rmse: list[float | None]
    least_max: float | None
    worst: list[SampleError]


class SampleShare(TypedDict):
    sample: int
    share: float | None


class ClassAgreement(TypedDict):
    axis: int | None
    by: str
    compared: int
    differ: int
    rate: float | None
    left_out: int
    worst: list[SampleShare]


class SmallestTolerance(TypedDict):
    rtol: float
    atol: float | None


class Breakdown(TypedDict):
    """Where the errors are; ``by_magnitude``: [bin of the error, bin of the reference, elements]."""

    channels: list[WorstChannels]
    positions: PositionErrors | None
    samples: SampleErrors | None
    argmax: ClassAgreement | None
    no_argmax: str | None
    tolerance: list[SmallestTolerance]
    by_magnitude: list[Annotated[list[int], Limit("minItems", 3), Limit("maxItems", 3)]]


class Detail(Breakdown):
    worst: Annotated[list[WorstElement], Limit("maxItems", 10)]


HOPS: Final = Limit(
    "required", ("export", "precision", "total")
)  # "ranges" where training chose them, "engine" where it was executed
SIDES: Final = Limit("required", ("reference", "exported", "lowered"))  # and "symmetric" and "engine", likewise
DataSource = str | dict[str, object]  # a path, or the settings of a generator


class _Deviation(TypedDict):
    hops: Annotated[dict[str, dict[str, Statistics]], HOPS]
    samples: Annotated[int, Limit("minimum", 1)]
    runtimes: dict[str, RuntimeFacts]


class SetDeviation(_Deviation):
    """The deviation on a further set of inputs, which is not judged."""

    source: DataSource
    random: bool


class Deviation(_Deviation, WithWarnings):
    """deviation.json; the validation set is at the top."""

    sets: dict[str, SetDeviation]


class SetHistograms(TypedDict):
    hops: Annotated[dict[str, dict[str, Histogram]], HOPS]


class Histograms(SetHistograms):
    """histograms.json."""

    log10_edges: list[float]
    sets: dict[str, SetHistograms]


class SetDetails(TypedDict):
    hops: Annotated[dict[str, dict[str, Detail]], HOPS]
    rows: dict[str, Row]


class Details(SetDetails):
    """details.json."""

    sets: dict[str, SetDetails]


def metric(statistics: Mapping[str, object], name: str) -> float | None:
    """A metric by a name that a config chose."""
    value = statistics[name]
    assert value is None or isinstance(value, (int, float)), name
    return value


def metrics(statistics: Statistics) -> dict[str, float | None]:
    """All metrics that are numbers, by name."""
    return {name: metric(statistics, name) for name in statistics if name != "worst"}
