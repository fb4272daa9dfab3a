"""report.json: every number on the pages of one variant."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypedDict

from trtbuild.documents.compiled import CompiledEngine
from trtbuild.documents.deviation import (
    HOPS,
    SIDES,
    DataSource,
    Detail,
    Guilty,
    Histogram,
    Row,
    RuntimeFacts,
    Statistics,
)
from trtbuild.documents.engine import CalibrationFacts, Passport
from trtbuild.documents.estimate import ReportedEstimate
from trtbuild.documents.latency import ReportedLatency
from trtbuild.documents.layers import ReportedLayers
from trtbuild.documents.schema import LATER, Limit
from trtbuild.documents.task import TaskScores
from trtbuild.documents.verdict import CollectedWarning, Verdict

VERSION: Final = 2
VERSIONS: Final = (1, 2)  # the versions that can be read; 1 had the notes under "warnings"


class Versioned(TypedDict):
    schema_version: int


Axis = Literal["model", "precision", "tensorrt", "runtime", "target", "calibration"]


class Axes(TypedDict):
    """The options of a variant, by config group."""

    model: str
    precision: str
    tensorrt: str
    runtime: str
    target: str
    calibration: str


class VariantFacts(Axes):
    id: str
    source: str
    opset: int
    random_validation: bool


class Output(TypedDict):
    """One output, by hop."""

    hops: Annotated[dict[str, Statistics], HOPS]
    guilty: Guilty
    histograms: Annotated[dict[str, Histogram], HOPS]
    details: Annotated[dict[str, Detail], HOPS, LATER]
    rows: Annotated[Row, LATER]


class MeasuredOutputs(TypedDict):
    outputs: dict[str, Output]
    guilty: Annotated[Guilty, LATER]


class ReportedSet(MeasuredOutputs):
    """The deviation on a further set of inputs, which is not judged."""

    samples: Annotated[int, Limit("minimum", 1)]
    runtimes: dict[str, RuntimeFacts]
    source: DataSource
    random: bool


class ReportedEngine(Passport):
    """The passport, which covers the build alone; ``executed`` says whether the engine also ran."""


class ReportedPrecision(TypedDict):
    nodes_by_dtype: dict[str, int]
    calibration: CalibrationFacts | None
    kept_float32: list[str] | dict[str, str]  # the latter in reports before not_quantised
    not_quantised: Annotated[dict[str, str], LATER]
    scopes: Annotated[dict[str, str], LATER]
    clamped_constants: dict[str, float]


class MeasuredDeviation(MeasuredOutputs):
    """What the deviation page shows; the validation set is at the top."""

    log10_edges: list[float]
    sets: Annotated[dict[str, ReportedSet], LATER]


class _Report(MeasuredDeviation):
    schema_version: Literal[2]
    variant: VariantFacts
    verdict: Verdict
    runtimes: Annotated[dict[str, RuntimeFacts], SIDES]
    samples: Annotated[int, Limit("minimum", 1)]
    engine: ReportedEngine
    precision: ReportedPrecision
    warnings: list[CollectedWarning]
    notes: Annotated[list[str], LATER]


class Report(_Report, total=False):
    """report.json; it has ``layers``, ``latency`` and ``task`` where they were measured, ``estimate`` with a device."""

    compiled: CompiledEngine
    latency: ReportedLatency | None
    task: TaskScores
    layers: ReportedLayers
    estimate: ReportedEstimate
