"""Tests of loops whose condition is known to hold until their trip limit."""

from __future__ import annotations

import pytest

from tests.support.plants import counted, loop
from trtbuild.graphs.loops import exact


@pytest.mark.parametrize(("steps", "found"), [(2, set()), (3, {"Loop_0"}), (4, {"Loop_0"})])
def test_a_counter_is_followed_to_the_limit_of_three_steps(steps: int, found: set[str]) -> None:
    """The condition behind the last step decides nothing any more."""
    assert exact(counted(steps)) == found


def test_a_condition_on_data_is_not_known() -> None:
    """Nor is a trip limit that is an input."""
    assert exact(loop("float[1] unused", collected=True)) == set()
    assert exact(loop("int64 m")) == set()
