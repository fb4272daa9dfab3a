"""Other searches on the networks of ``python -m benchmarks auto``: all assignments, and a greedy one of AIMET's kind.

Both use the engines, outputs and checks of ``precision=auto`` itself, so that only the order of asking differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from trtbuild.auto.front import Point
from trtbuild.pipeline.auto import Assignment, Search

BITS = {"fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8}


@dataclass(frozen=True)
class Answer:
    """``evaluations``: of the whole validation set; ``one``: None if not even the base is within the budget."""

    one: Assignment | None
    evaluations: int


def exhaustive(oracle: Search) -> Answer:
    """The cheapest of all assignments that is within the budget: all are compiled, the cheapest asked first."""
    every = product(*([choice.precision for choice in choices] for choices in oracle.choices))
    oracle.compile([Point(precisions, 0.0, 0.0) for precisions in every])
    order = sorted(oracle.compiled.values(), key=lambda one: one.cost)
    return Answer(next((one for one in order if oracle.meets(one)), None), len(oracle.measured))


def greedy(oracle: Search) -> Answer:
    """Automatic mixed precision as AIMET describes it, phase 2: groups to fewer bits, the least sensitive first.

    After each change the whole set is evaluated, until the budget is exceeded.  Its phase 1, each group alone in each
    candidate, is the measurement that ``precision=auto`` takes its sensitivities from.
    """
    base = oracle.base_precisions
    if not oracle.meets(oracle.compiled[base]):
        return Answer(None, 1)
    best, evaluations = oracle.compiled[base], 1
    for precisions in _changes(oracle, base):
        one = compiled(oracle, precisions)
        evaluations += 1
        if one is None or not oracle.meets(one):
            break
        best = one
    return Answer(best, evaluations)


def by_bisection(oracle: Search) -> Answer:
    """The same curve, bisected, as later versions of AIMET offer."""
    base = oracle.base_precisions
    if not oracle.meets(oracle.compiled[base]):
        return Answer(None, 1)
    curve = [base, *_changes(oracle, base)]
    low, high, evaluations = 0, len(curve), 1  # ``low`` is within the budget
    while high - low > 1:
        middle = (low + high) // 2
        one = compiled(oracle, curve[middle])
        evaluations += 1
        if one is not None and oracle.meets(one):
            low = middle
        else:
            high = middle
    return Answer(oracle.compiled[curve[low]], evaluations)


def _changes(oracle: Search, base: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The assignment after each change: one group to a candidate of fewer bits than it has."""
    order = sorted(
        (choice.error, -BITS[choice.precision], i, choice.precision)
        for i, choices in enumerate(oracle.choices)
        for choice in choices[1:]
    )
    now = list(base)
    for _, _, i, precision in order:
        if BITS[precision] < BITS[now[i]]:
            now[i] = precision
            yield tuple(now)


def compiled(oracle: Search, precisions: tuple[str, ...]) -> Assignment | None:
    """The engine of an assignment; None where TensorRT breaks it."""
    if precisions not in oracle.compiled:
        oracle.compile([Point(precisions, 0.0, 0.0)])
    return oracle.compiled.get(precisions)
