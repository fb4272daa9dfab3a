"""summary.json, which git keeps of every report, and what ``trtbuild trend`` makes of its history."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypedDict

from trtbuild.documents.report import Axes
from trtbuild.documents.schema import Limit
from trtbuild.documents.verdict import Word

VERSION: Final = 1
WORKTREE: Final = "worktree"


class VariantAxes(Axes):
    id: str


class TaskScore(TypedDict):
    """``source``: the source model's own score; ``fell``: classes and slices, by name."""

    metric: str
    score: float
    source: float
    higher_is_better: bool
    fell: list[str]


class Numbers(TypedDict):
    """What a trend shows of one report; None where it was not measured or is not recorded.

    ``deviation``: by metric, of the worst output over all hops.
    """

    verdict: Word
    task: TaskScore | None
    deviation: dict[str, float | None]
    plan_bytes: Annotated[int, Limit("minimum", 0)] | None
    moved_bytes: Annotated[int, Limit("minimum", 0)] | None
    layers: Annotated[int, Limit("minimum", 0)] | None
    p50_ms: float | None


class Summary(Numbers):
    """summary.json."""

    schema_version: Literal[1]
    variant: VariantAxes


class TrendPoint(TypedDict):
    """One commit, by its whole hash, or the worktree; ``numbers``: None where they are neither in git nor here."""

    commit: str
    time: int | None
    subject: str
    numbers: Numbers | None


class TrendVariant(TypedDict):
    variant: VariantAxes
    points: list[TrendPoint]


class Trend(TypedDict):
    """``trend --json``: points from the oldest to the newest; ``commits``: with records of this model.

    ``renamed_from``: earlier names of the model.  ``skipped``: damaged records, by commit and path.
    """

    schema_version: Literal[1]
    model: str
    renamed_from: list[str]
    shallow: bool
    commits: int
    gaps: int
    skipped: list[str]
    variants: list[TrendVariant]
