"""Tests of numbers against thresholds."""

from __future__ import annotations

from typing import Any

import pytest

from trtbuild.core.verdict import deviation_checks, set_checks, task_check

STATS: dict[str, Any] = {"nonfinite_mismatch": 0, "max_abs": 0.25, "cosine": 0.999, "sqnr_db": 40.0, "rmse": 0.1}


def passed(limits: dict[str, float], **changed: Any) -> dict[str, bool]:
    checks = deviation_checks({"y": {**STATS, **changed}}, limits)
    return {name: check["passed"] for name, check in checks.items()}


@pytest.mark.parametrize(("limit", "fits"), [(0.25, True), (0.2499, False)])
def test_an_error_stays_at_or_below_its_limit(limit: float, fits: bool) -> None:
    """The limit itself is allowed."""
    assert passed({"max_abs": limit})["y: max_abs"] is fits


@pytest.mark.parametrize(("limit", "fits"), [(0.999, True), (0.9991, False)])
def test_a_cosine_stays_at_or_above_its_limit(limit: float, fits: bool) -> None:
    """For likeness the limit is a floor."""
    assert passed({"cosine": limit})["y: cosine"] is fits


def test_every_output_is_checked_against_every_limit() -> None:
    """One check for each pair, and one for NaN and infinity."""
    checks = deviation_checks({"b": STATS, "a": STATS}, {"rmse": 1.0, "max_abs": 1.0})

    assert list(checks) == [
        f"{output}: {name}" for output in "ab" for name in ("no NaN or infinity", "max_abs", "rmse")
    ]


def test_new_nan_fails_without_any_limit() -> None:
    """An output with NaN or infinity of its own is broken, whatever was asked for."""
    assert passed({}, nonfinite_mismatch=3) == {"y: no NaN or infinity": False}


def test_new_nan_fails_in_every_set() -> None:
    """A set that is only shown has no limits, but what breaks an output breaks it anywhere."""
    sets = {"night": {"hops": {"total": {"y": STATS, "z": {**STATS, "nonfinite_mismatch": 1}}}}}

    assert {name: check["passed"] for name, check in set_checks(sets).items()} == {
        "night: y: no NaN or infinity": True, "night: z: no NaN or infinity": False,
    }  # fmt: skip


def test_no_error_at_all_has_no_finite_sqnr_and_passes() -> None:
    """Exact equality is better than any limit in decibels."""
    assert passed({"sqnr_db": 30.0}, sqnr_db=None, max_abs=0.0)["y: sqnr_db"]


def test_no_finite_element_passes_nothing() -> None:
    """Statistics of nothing are no proof."""
    results = passed({"sqnr_db": 30.0, "max_abs": 1.0, "cosine": 0.9}, sqnr_db=None, max_abs=None, cosine=None)

    assert not any(results[f"y: {name}"] for name in ("sqnr_db", "max_abs", "cosine"))


def test_the_share_of_a_limit() -> None:
    """How much of the budget is used up."""
    assert deviation_checks({"y": STATS}, {"max_abs": 0.5})["y: max_abs"]["share_of_limit"] == 0.5
    assert deviation_checks({"y": STATS}, {"max_abs": 0.0})["y: max_abs"]["share_of_limit"] is None


@pytest.mark.parametrize(
    ("score", "better", "drop", "fits"),
    [
        (0.75, True, 0.0625, True),
        (0.5, True, 0.3125, False),
        (0.875, True, -0.0625, True),
        (0.875, False, 0.0625, True),
        (1.5, False, 0.6875, False),
    ],
)
def test_a_drop_is_a_change_for_the_worse(score: float, better: bool, drop: float, fits: bool) -> None:
    """Less is worse where higher is better, more where lower is; a gain is never too much."""
    check = task_check("m", 0.8125, score, 0.1, higher_is_better=better)

    assert (check["observed"], check["passed"]) == (drop, fits)
