"""verdict.json: what the thresholds say of a variant; and the warnings that any document of a step may carry."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from trtbuild.documents.schema import LATER, Limit

Word = Literal["pass", "fail", "unjudged"]


class WarningDocument(TypedDict):
    """A warning as a step writes it (core/warning.py)."""

    what: Annotated[str, Limit("minLength", 1)]
    where: str
    hint: str


class CollectedWarning(WarningDocument):
    """The same with the step kind that found it."""

    step: str


class WithWarnings(TypedDict, total=False):
    """What every document of a step may have."""

    warnings: list[WarningDocument]


class _Judged(TypedDict):
    observed: float | None
    limit: float
    passed: bool
    share_of_limit: float | None


class Check(_Judged, total=False):
    """One threshold with what was observed; of a task metric also its scores, of a latency the interval's end."""

    metric: str
    reference: float
    score: float
    higher_is_better: bool
    upper: float


class NotJudged(TypedDict):
    limit: float
    why: str


class Verdict(WithWarnings):
    """verdict.json; ``unjudged``: what is missing for a verdict; ``thresholds``: how many were judged."""

    word: Annotated[Word, LATER]
    passed: bool
    unjudged: Annotated[str | None, LATER]
    checks: dict[str, Check]
    thresholds: Annotated[int, LATER, Limit("minimum", 0)]
    not_judged: Annotated[dict[str, NotJudged], LATER]
