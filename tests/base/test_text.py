"""Tests of suggestions for misspelt names."""

from __future__ import annotations

import pytest

from trtbuild.base.text import did_you_mean


@pytest.mark.parametrize(
    ("name", "valid", "hint"),
    [
        ("segnt", ["segnet", "lenet"], "did you mean 'segnet'?"),
        ("xyz", ["segnet", "lenet"], "valid: lenet, segnet"),
        ("xyz", [], "there is none"),
        ("", ["a"], "valid: a"),
    ],
)
def test_a_hint_is_the_nearest_name_or_all(name: str, valid: list[str], hint: str) -> None:
    """One near name is a question; none near is a list."""
    assert did_you_mean(name, valid) == hint


def test_a_hint_does_not_hang_on_order() -> None:
    """Sets have no order, messages must."""
    assert did_you_mean("b", {"ab", "cb", "db"}) == did_you_mean("b", ["db", "cb", "ab"])
