"""Tests of the front against all assignments, of its thinning, and of the points that are built from it."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from trtbuild.auto.front import Choice, Point, front, spread


def network(seed: int, groups: int, precisions: int = 3) -> list[list[Choice]]:
    random = Random(seed)
    return [
        [Choice("p0", 0.0, random.uniform(2, 9))]
        + [Choice(f"p{i}", random.lognormvariate(0, 2), random.uniform(0.5, 9)) for i in range(1, precisions)]
        for _ in range(groups)
    ]


def every_assignment(groups: list[list[Choice]]) -> list[tuple[float, float]]:
    """(cost, error) of all of them."""
    return [(sum(c.cost for c in one), sum(c.error for c in one)) for one in product(*groups)]


@pytest.mark.parametrize("seed", range(10))
def test_the_front_is_that_of_all_assignments(seed: int) -> None:
    groups = network(seed, groups=5)
    points = front(groups)
    undominated = []
    for cost, error in sorted(every_assignment(groups)):
        if not undominated or error < undominated[-1][1]:
            undominated.append((cost, error))
    assert [point.cost for point in points] == pytest.approx([cost for cost, _ in undominated])
    assert [point.error for point in points] == pytest.approx([error for _, error in undominated])


@pytest.mark.parametrize("seed", range(5))
def test_a_point_is_the_sum_of_its_choices(seed: int) -> None:
    groups = network(seed, groups=8)
    for point in front(groups):
        chosen = [
            next(c for c in choices if c.precision == p) for choices, p in zip(groups, point.precisions, strict=True)
        ]
        assert point.cost == pytest.approx(sum(choice.cost for choice in chosen))
        assert point.error == pytest.approx(sum(choice.error for choice in chosen))


@pytest.mark.parametrize("seed", range(5))
def test_a_thinned_front_stays_close_to_the_whole_one(seed: int) -> None:
    random, groups = Random(seed), []
    for _ in range(20):
        full, low, lowest = random.uniform(2, 9), random.uniform(0.6, 0.9), random.uniform(0.3, 0.6)
        cheaper = [Choice(f"p{f:.2f}", full * random.uniform(0.5, 2) / f, full * f) for f in (low, lowest)]
        groups.append([Choice("p1", 0.0, full), *cheaper])
    whole, thinned = front(groups, limit=100_000), front(groups, limit=200)
    assert len(thinned) <= 200 < len(whole)
    assert (thinned[0].cost, thinned[-1].error) == pytest.approx((whole[0].cost, whole[-1].error))
    for point in whole:
        near = min(other.cost for other in thinned if other.error <= point.error)
        assert near <= point.cost * 1.02, "within two percent of the best cost at every error"


def test_a_precision_that_nothing_is_gained_by_is_not_on_the_front() -> None:
    assert front([[Choice("fp16", 0.0, 3.0), Choice("int8", 1.0, 3.0), Choice("fp8", 0.5, 4.0)]]) == [
        Point(("fp16",), 0.0, 3.0)
    ]


def test_no_groups_make_one_point() -> None:
    assert front([]) == [Point((), 0.0, 0.0)]


def test_points_to_build_have_both_ends_and_even_distances() -> None:
    points = [Point((str(i),), 100.0 - i, float(i)) for i in range(101)]
    assert [point.cost for point in spread(points, 5)] == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert spread(points[:3], 5) == points[:3]
