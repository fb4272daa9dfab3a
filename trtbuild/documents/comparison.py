"""The comparison of two reports."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from trtbuild.documents.enginecomparison import EngineComparison, Pair
from trtbuild.documents.latency import MaybeBounds
from trtbuild.documents.report import Axes
from trtbuild.documents.schema import Limit
from trtbuild.documents.task import GroupComparison
from trtbuild.documents.verdict import Word

Count = Annotated[int, Limit("minimum", 0)]
Change = Literal["none", "same", "appeared", "vanished", "elsewhere"]


class Who(Axes):
    id: str
    passed: bool


class VerdictChange(TypedDict):
    new: Word
    old: Word
    changed: bool
    now_failing: list[str]
    no_longer_failing: list[str]
    limits_changed: list[str]


class WorstPair(Pair):
    output: str


class TaskChange(TypedDict):
    name: str
    new: float
    old: float
    change: float
    higher_is_better: bool


class LatencyChange(TypedDict):
    new: MaybeBounds | None
    old: MaybeBounds | None
    ratio: MaybeBounds | None
    label: Literal["slower", "faster", "no change", "not comparable"]
    why: str


class GroupsChange(TypedDict):
    """The task metric by class and slice; ``why``: the reason where both sides have none or cannot be compared."""

    why: str
    compared: GroupComparison | None


class Shares(TypedDict):
    new: float
    old: float


class MovedLayer(Pair):
    name: str
    path: str
    index: int
    type: str
    dtype: str
    nonfinite: bool


class JumpChange(TypedDict):
    new: str | None
    old: str | None
    change: Change


class LayersChange(TypedDict):
    compared: Count
    only_new: Count
    only_old: Count
    moved: Count
    first: MovedLayer | None
    jump: JumpChange


class Fact(TypedDict):
    """A fact about how the two reports were made; None where a side does not have it."""

    name: str
    new: str | None
    old: str | None
    equal: bool


class ComparedNumbers(TypedDict):
    """A comparison without the conclusions drawn from it."""

    new: Who
    old: Who
    verdict: VerdictChange
    deviation: dict[str, dict[str, Pair]]
    outputs_only_new: list[str]
    outputs_only_old: list[str]
    task: list[TaskChange]
    groups: GroupsChange
    latency: LatencyChange
    engine_bytes: Pair
    work_share: dict[str, Shares]
    compiled: EngineComparison
    layers: LayersChange | None
    environment: list[Fact]


class Comparison(ComparedNumbers):
    """Two reports, new and old; ``worst_rmse`` belongs to the output whose error grew most."""

    worst_rmse: WorstPair | None
    summary: str
