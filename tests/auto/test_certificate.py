"""Tests of the search along a front: the cheapest point that meets the budget, with few measurements."""

from __future__ import annotations

import pytest

from trtbuild.auto.certificate import cheapest_within


@pytest.mark.parametrize("length", [1, 2, 3, 8, 24])
def test_every_boundary_is_found_with_at_most_seven_measurements(length: int) -> None:
    for boundary in range(length):
        asked: list[int] = []

        def meets(point: int, boundary: int = boundary, asked: list[int] = asked) -> bool:
            asked.append(point)
            return point >= boundary

        assert cheapest_within(range(length), meets) == boundary
        assert len(asked) == len(set(asked)) <= 7


def test_an_impossible_budget_costs_one_measurement() -> None:
    asked: list[int] = []
    assert cheapest_within(range(24), lambda point: bool(asked.append(point))) is None
    assert asked == [23], "the base, which is the most accurate"


def test_a_budget_that_everything_meets_takes_the_cheapest() -> None:
    asked: list[int] = []
    assert cheapest_within(range(24), lambda point: asked.append(point) is None) == 0
    assert asked == [23, 0]


@pytest.mark.parametrize("met", [{23, 4}, {23, 11, 3}, {23, 2, 5, 17}])
def test_what_is_returned_was_measured_and_meets_the_budget_even_if_the_order_is_wrong(met: set[int]) -> None:
    asked: list[int] = []

    def meets(point: int) -> bool:
        asked.append(point)
        return point in met

    found = cheapest_within(range(24), meets)
    assert found in met
    assert found in asked


def test_nothing_to_choose_from() -> None:
    assert cheapest_within([], bool) is None
