"""All assignments of precisions to groups that may be worth building: the front of predicted error against cost.

Error and cost are predicted as sums over the groups, which makes this a multiple-choice knapsack problem.  Its whole
front is made group by group, dropping what another assignment beats in both (Nemhauser, Ullmann: Discrete dynamic
programming and capital allocation, Management Science 15/9, 1969).  It is exact up to ``LIMIT`` points; a Lagrangian
sweep would find the convex hull only, in which a network of few groups has large gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = 5000  # points kept between groups


@dataclass(frozen=True)
class Choice:
    """What one precision of a group adds to the error and to the cost; both are >= 0."""

    precision: str
    error: float
    cost: float


@dataclass(frozen=True)
class Point:
    """An assignment, a precision for each group in order, with its predicted error and cost."""

    precisions: tuple[str, ...]
    error: float
    cost: float


@dataclass(frozen=True)
class _Partial:
    error: float
    cost: float
    before: _Partial | None = None
    precision: str = ""


def front(groups: Sequence[Sequence[Choice]], limit: int = LIMIT) -> list[Point]:
    """The assignments that no other beats in error and cost, the cheapest first.

    >>> encoder = [Choice("fp16", 0.0, 5.0), Choice("int8", 1.0, 3.0)]
    >>> head = [Choice("fp16", 0.0, 2.0), Choice("int8", 4.0, 1.0)]
    >>> [(point.precisions, point.error, point.cost) for point in front([encoder, head])]
    [(('int8', 'int8'), 5.0, 4.0), (('int8', 'fp16'), 1.0, 5.0), (('fp16', 'fp16'), 0.0, 7.0)]
    """
    partials = [_Partial(0.0, 0.0)]
    for choices in groups:
        extended = [
            _Partial(partial.error + choice.error, partial.cost + choice.cost, partial, choice.precision)
            for partial in partials
            for choice in choices
        ]
        partials = _thinned(_undominated(extended), limit)
    return [Point(_precisions(partial), partial.error, partial.cost) for partial in partials]


def beside(groups: Sequence[Sequence[Choice]], precisions: Sequence[str]) -> list[Point]:
    """All assignments that differ from this one in a single group.

    >>> encoder = [Choice("fp16", 0.0, 5.0), Choice("int8", 1.0, 3.0)]
    >>> head = [Choice("fp16", 0.0, 2.0), Choice("int8", 4.0, 1.0)]
    >>> [point.precisions for point in beside([encoder, head], ["fp16", "fp16"])]
    [('int8', 'fp16'), ('fp16', 'int8')]
    """
    chosen = [next(c for c in choices if c.precision == p) for choices, p in zip(groups, precisions, strict=True)]
    found = []
    for i, choices in enumerate(groups):
        for choice in choices:
            if choice is not chosen[i]:
                parts = [*chosen[:i], choice, *chosen[i + 1 :]]
                error, cost = sum(part.error for part in parts), sum(part.cost for part in parts)
                found.append(Point(tuple(part.precision for part in parts), error, cost))
    return found


def _undominated(partials: Sequence[_Partial]) -> list[_Partial]:
    kept: list[_Partial] = []
    for partial in sorted(partials, key=lambda one: (one.cost, one.error)):
        if not kept or partial.error < kept[-1].error:
            kept.append(partial)
    return kept


def _thinned(partials: list[_Partial], limit: int) -> list[_Partial]:
    """At most ``limit`` points: both ends, and of every interval of cost the one with the least error."""
    if len(partials) <= limit:
        return partials
    low, high = partials[0].cost, partials[-1].cost
    chosen = {int((partial.cost - low) / (high - low) * (limit - 2)): partial for partial in partials}
    return [partials[0], *(partial for partial in chosen.values() if partial is not partials[0])]


def _precisions(partial: _Partial) -> tuple[str, ...]:
    found: list[str] = []
    last: _Partial | None = partial
    while last is not None and last.before is not None:
        found.append(last.precision)
        last = last.before
    return tuple(reversed(found))


def spread(points: Sequence[Point], count: int) -> list[Point]:
    """At most ``count`` points of a front, both ends among them, at even distances along its cost.

    >>> [point.cost for point in spread([Point((), 0.0, float(i)) for i in range(7)], 3)]
    [0.0, 3.0, 6.0]
    >>> [point.cost for point in spread([Point((), 0.0, float(i)) for i in range(7)], 1)]
    [0.0]
    """
    if len(points) <= count:
        return list(points)
    low, high = points[0].cost, points[-1].cost
    targets = [low + (high - low) * i / max(count - 1, 1) for i in range(count)]
    return list(dict.fromkeys(min(points, key=lambda one: abs(one.cost - target)) for target in targets))
