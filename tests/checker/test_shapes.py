"""Tests of the shapes that a network is checked with."""

from __future__ import annotations

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.checker.shapes import BATCH, choose


def test_a_fixed_shape_has_no_profile() -> None:
    """It is what it is."""
    chosen = choose({"x": [2, 8]}, None)

    assert (chosen.concrete, chosen.profiles) == ({"x": [2, 8]}, {})


def test_an_unknown_batch_is_assumed_in_silence() -> None:
    """Every network has one."""
    chosen = choose({"x": [None, 8]}, None)

    assert chosen.profiles == {"x": [[size, 8] for size in BATCH]} and chosen.assumed == ()


def test_other_unknown_dimensions_are_assumed_and_told() -> None:
    """An image's height and width, a sequence's length."""
    chosen = choose({"image": [None, None, None, 3], "ids": [1, None]}, None)

    assert chosen.assumed == ("image", "ids")
    assert chosen.concrete["image"][3] == 3


def test_a_given_profile_is_taken() -> None:
    """And nothing is assumed then."""
    chosen = choose({"x": [None, None]}, {"x": [(1, 2), (2, 4), (4, 8)]})

    assert chosen.concrete == {"x": [2, 4]} and chosen.assumed == ()


def test_an_unknown_rank_is_told() -> None:
    """There is nothing to assume."""
    assert choose({"x": None}, None).unranked == ("x",)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"y": [(1,), (1,), (1,)]}, "there is no such input"),
        ({"x": [(1, 8), (2, 8)]}, "three shapes"),
        ({"x": [(1, 9), (2, 8), (4, 8)]}, "does not fit"),
        ({"x": [(4, 8), (2, 8), (4, 8)]}, "min <= opt <= max"),
    ],
)
def test_a_wrong_profile_is_one_line(given: dict[str, list[tuple[int, ...]]], says: str) -> None:
    """What, and where."""
    with pytest.raises(ConfigError, match=says):
        choose({"x": [None, 8]}, given)
