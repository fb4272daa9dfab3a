"""verdict.json: what the thresholds say about a variant; and the warnings that any step's document may carry."""

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
    """A warning with the step kind that found it."""

    step: str


class WithWarnings(TypedDict, total=False):
    """The keys that any step's document may have."""

    warnings: list[WarningDocument]


class _Judged(TypedDict):
    observed: float | None
    limit: float
    passed: bool
    share_of_limit: float | None


class Check(_Judged, total=False):
    """One threshold and the observed value; a task metric also has its scores, a latency the interval's end.

    ``says`` is what a ratio was made of.
    """

    metric: str
    reference: float
    score: float
    higher_is_better: bool
    upper: float
    says: str


class NotJudged(TypedDict):
    limit: float
    why: str


class Verdict(WithWarnings):
    """verdict.json; ``unjudged``: what a verdict lacks; ``thresholds``: how many were judged."""

    word: Annotated[Word, LATER]
    passed: bool
    unjudged: Annotated[str | None, LATER]
    checks: dict[str, Check]
    thresholds: Annotated[int, LATER, Limit("minimum", 0)]
    not_judged: Annotated[dict[str, NotJudged], LATER]
