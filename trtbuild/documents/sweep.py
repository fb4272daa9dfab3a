"""sweep.json: the variants of a sweep with what their reports say, and what they show together."""

from __future__ import annotations

from typing import Literal, TypedDict

from trtbuild.documents.comparison import Comparison, Count
from trtbuild.documents.deviation import Guilty
from trtbuild.documents.enginecomparison import SweepCompiled, SweepEngines
from trtbuild.documents.latency import Bounds, MaybeBounds
from trtbuild.documents.report import Axes, Report

State = Literal["pass", "fail", "unjudged", "failed", "refused", "invalid", "not built"]


class SweepCheck(TypedDict):
    """``margin``: the distance to its limit, in the check's own unit; negative outside the limit."""

    name: str
    observed: float | None
    limit: float
    margin: float | None
    share: float | None


class CheckCounts(TypedDict):
    passed: Count
    all: Count


class TaskScore(TypedDict):
    """``drop``: how much worse than the source model's own score, whether higher or lower is better."""

    name: str
    metric: str
    score: float
    reference: float
    drop: float


class WorstError(TypedDict):
    output: str
    relative: float
    max_abs: float | None


class FirstBad(TypedDict):
    path: str
    type: str
    says: str
    index: int


class SweepEngine(TypedDict):
    bytes: int
    sha256: str
    onnx_sha256: str
    flavour: str
    version: str


class SweepNumbers(TypedDict):
    """What a report says about its variant; all empty for a variant without a report."""

    p50_ms: MaybeBounds | None
    p50_why: str
    speedup: Bounds | None
    worst: SweepCheck | None
    checks: CheckCounts | None
    failed_checks: list[SweepCheck]
    task: list[TaskScore]
    error: WorstError | None
    guilty: Guilty | None
    first_bad: FirstBad | None
    engine: SweepEngine | None
    compiled: SweepCompiled | None
    facts: dict[str, str]
    warnings: list[str]


class SweepVariant(Axes, SweepNumbers):
    """``precision_rank``: the precision's place among others, widest first."""

    id: str
    precision_rank: int
    state: State
    reason: str
    accepted: bool
    against_baseline: Comparison | None
    baseline_changes: list[str]
    links: dict[str, str]


class Column(TypedDict):
    place: list[str]
    tensorrt: str
    label: str


class SweepModel(TypedDict):
    name: str
    anchor: str
    cells: list[list[str]]
    good: bool
    pages: dict[str, str]


FailureState = Literal["fail", "failed", "refused", "invalid"]


class FailureReason(TypedDict):
    state: FailureState
    reason: str
    ids: list[str]


class Accepted(TypedDict):
    changed: list[str]
    same: list[str]
    without: list[str]


class VersionStep(TypedDict):
    id: str
    model: str
    label: str
    since: str
    before: str
    what: list[str]


class VersionChanges(TypedDict):
    compared: Count
    changes: list[VersionStep]


class FactValue(TypedDict):
    value: str
    count: Count
    ids: list[str]


class FactValues(TypedDict):
    name: str
    values: list[FactValue]


Counts = TypedDict(
    "Counts",
    {
        "pass": Count,
        "fail": Count,
        "unjudged": Count,
        "failed": Count,
        "refused": Count,
        "invalid": Count,
        "not built": Count,
    },
)


class RankedCalibration(TypedDict):
    """``relative``: RMS error of the worst output over its RMS; scores are None where no task metric is judged.

    ``chosen``: what a calibration that compares others took; empty for one that does not.
    """

    id: str
    calibration: str
    chosen: str
    score: float | None
    reference: float | None
    drop: float
    relative: float


class CalibrationRanking(TypedDict):
    """Variants that differ in their calibration only, the best first, and ``why`` it is."""

    model: str
    label: str
    metric: str | None
    rows: list[RankedCalibration]
    why: str


class Sweep(TypedDict):
    """sweep.json."""

    schema_version: Literal[1]
    counts: Counts
    axes: list[Literal["tensorrt", "precision", "runtime", "target", "calibration"]]
    columns: list[Column]
    models: list[SweepModel]
    variants: list[SweepVariant]
    failures: list[str]
    reasons: list[FailureReason]
    not_built: list[str]
    accepted: Accepted
    versions: VersionChanges
    engines: SweepEngines
    calibrations: list[CalibrationRanking]
    environment: list[FactValues]
    warnings: list[str]


class SweepEntry(Axes):
    """One variant as the pages of a sweep take it; its report's ``folder`` is relative to those pages."""

    id: str
    precision_rank: int
    state: State
    reason: str
    report: Report | None
    folder: str | None
    baseline: Report | None  # as it was accepted
