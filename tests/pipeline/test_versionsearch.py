"""Tests of the search over versions: what it finds, what it looks at, and what it says when there is no one change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbuild.pipeline.versionsearch import BisectionResult, bisect


def search(values: Sequence[str | None], known: Sequence[int] = ()) -> tuple[BisectionResult, list[list[str]]]:
    """What is found in versions "0", "1", … with these values, and each call's versions."""
    calls: list[list[str]] = []

    def observe(versions: Sequence[str]) -> dict[str, str | None]:
        calls.append(list(versions))
        return {version: values[int(version)] for version in versions}

    return bisect([str(i) for i in range(len(values))], observe, {str(i): values[i] for i in known}), calls


@given(st.integers(2, 40), st.data())
def test_one_change_is_found_exactly_in_the_least_observations(count: int, data: st.DataObject) -> None:
    """Two ends, and the logarithm of what lies between."""
    at = data.draw(st.integers(1, count - 1))
    found, calls = search(["a"] * at + ["b"] * (count - at))

    assert (found.before, found.after, found.between) == (str(at - 1), str(at), ())
    assert calls[0] == ["0", str(count - 1)]
    assert sum(map(len, calls)) <= 2 + math.ceil(math.log2(count - 1))


def test_ends_that_agree_are_all_that_is_looked_at() -> None:
    """No change is claimed, and what was not seen is named."""
    found, calls = search("aaba")

    assert (found.before, found.after, calls) == (None, None, [["0", "3"]])
    assert found.unseen == ("1", "2")


def test_a_change_between_ends_that_agree_is_found_when_it_is_known() -> None:
    """And that there is a way back."""
    found, calls = search("aaba", known=[2])

    assert (found.before, found.after) == ("1", "2")
    assert found.changes == (("1", "2"), ("2", "3"))
    assert calls == [["0", "3"], ["1"]]


def test_what_is_known_is_not_observed() -> None:
    """All of it: nothing is asked."""
    found, calls = search("aabb", known=range(4))

    assert (found.before, found.after, calls) == ("1", "2", [])


def test_a_version_that_cannot_be_observed_is_gone_around() -> None:
    """It stays in the gap: it may be the first."""
    found, _ = search(["a", None, None, "b"])

    assert (found.before, found.after, found.between) == ("0", "3", ("1", "2"))


def test_an_end_that_cannot_be_observed_ends_the_search() -> None:
    """Nothing is claimed."""
    found, calls = search([None, "a", "b"])

    assert (found.before, len(calls)) == (None, 1)


@pytest.mark.parametrize("versions", [[], ["a"], ["a", "b", "a"]])
def test_too_few_versions_are_refused(versions: list[str]) -> None:
    """Or one that is there twice."""
    with pytest.raises(ValueError, match="two or more versions"):
        bisect(versions, lambda asked: {})
