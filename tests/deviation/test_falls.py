"""Tests of how surprising a fall is."""

from __future__ import annotations

import numpy as np
import pytest

from trtbuild.deviation.falls import LEVEL, corrected_for, tail


def test_answers_of_one_size_have_the_exact_tail() -> None:
    """McNemar's test: 8 or more of 10 changed samples fell."""
    contributions = np.array([-1.0] * 8 + [1.0] * 2) / 200

    assert tail(contributions) == pytest.approx(((1 + 10 + 45) / 1024, 2**-10))


def test_rises_are_no_surprise() -> None:
    """The tail is of falls alone."""
    assert tail(np.ones(10))[0] == 1.0
    assert tail(np.array([1.0, 0.5, 0.7]))[0] > 0.8


def test_nothing_changed() -> None:
    """No sample changed, so nothing can be told."""
    assert tail(np.array([])) == (1.0, 1.0)


@pytest.mark.parametrize("shift", [-0.1, -0.3, -0.6])
def test_the_saddlepoint_agrees_with_random_signs(shift: float) -> None:
    """Against 200,000 draws; an error of a fifth is far below what a level means."""
    draw = np.random.default_rng(3)
    contributions = draw.gamma(2, 1, 40) * draw.choice((-1, 1), 40) + shift * 2
    drawn = draw.choice((-1.0, 1.0), (200_000, 40)) @ np.abs(contributions)

    seen = float((drawn <= contributions.sum()).mean())

    assert tail(contributions)[0] == pytest.approx(seen, rel=0.2, abs=2e-5)


def test_all_on_one_side_is_the_least_that_can_be() -> None:
    """Whatever the sizes."""
    assert tail(np.array([-1.0, -2.0, -0.5])) == (0.125, 0.125)


def test_many_coins() -> None:
    """Beyond a thousand the normal tail replaces the exact one."""
    assert tail(np.concatenate([-np.ones(560), np.ones(480)]))[0] == pytest.approx(0.00716, rel=0.02)


def test_groups_that_cannot_be_found_are_not_corrected_for() -> None:
    """99 classes with one changed sample each leave the hundredth alone."""
    assert corrected_for([0.5] * 99 + [2**-10]) == 1
    assert corrected_for([0.0] * 100) == 100
    assert LEVEL / 2 >= 2**-10, "a fall of ten samples is found beside one rise of ten"
