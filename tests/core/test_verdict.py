"""Tests of numbers against thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trtbuild.building.summary import describe
from trtbuild.core.spec.validation import Validation
from trtbuild.core.verdict import (
    calibration_checks,
    deviation_checks,
    export_checks,
    export_fault,
    missing_threshold,
    set_checks,
    task_check,
    verdict_document,
    word_of,
)

STATS: dict[str, Any] = {"nonfinite_mismatch": 0, "max_abs": 0.25, "cosine": 0.999, "sqnr_db": 40.0, "rmse": 0.1}


def passed(limits: dict[str, float], **changed: Any) -> dict[str, bool]:
    checks = deviation_checks({"y": {**STATS, **changed}}, limits)
    return {name: check["passed"] for name, check in checks.items()}


@pytest.mark.parametrize(("limit", "fits"), [(0.25, True), (0.2499, False)])
def test_an_error_stays_at_or_below_its_limit(limit: float, fits: bool) -> None:
    """The limit itself is allowed."""
    assert passed({"max_abs": limit})["y: max_abs"] is fits


@pytest.mark.parametrize(("doubts", "word"), [(0, "unjudged"), (1, "fail")])
def test_doubtful_calibration_fails_where_it_is_judged(doubts: int, word: str) -> None:
    """Without doubts it says nothing about the outputs: alone it is not a pass."""
    document = verdict_document(calibration_checks(doubts), judging=0, why_not="none", further=0, not_judged={})

    assert word_of(document) == word


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
    sets = {"night": {"y": STATS, "z": {**STATS, "nonfinite_mismatch": 1}}}

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


def test_a_score_that_is_no_number_fails() -> None:
    """NaN compares with no limit; the document stays JSON."""
    check = task_check("mse", 0.5, float("nan"), 0.1, higher_is_better=False)

    assert (check["passed"], check["observed"], "score" in check) == (False, None, False)
    assert describe(check) == "none, limit 0.1"


def document(judging: int = 0, latency: int = 0, **changed: Any) -> dict[str, Any]:
    checks = deviation_checks({"y": {**STATS, **changed}}, {"max_abs": 0.5} if judging else {})
    return verdict_document(checks, judging=judging, why_not="add this line", further=latency, not_judged={})


def test_what_nothing_judges_is_unjudged() -> None:
    """A latency limit that holds says nothing about outputs; what is unjudged has not passed."""
    for made in (document(), document(latency=1)):
        assert (made["word"], made["passed"], made["unjudged"]) == ("unjudged", False, "add this line")
    made = document(judging=1)
    assert (made["word"], made["passed"], made["unjudged"]) == ("pass", True, None)


def test_what_fails_fails_whether_judged_or_not() -> None:
    """NaN needs no limit."""
    assert [document(judging=n, nonfinite_mismatch=1)["word"] for n in (0, 1)] == ["fail", "fail"]


def test_the_word_of_an_older_verdict_is_told_by_its_thresholds() -> None:
    """Accepted baselines are from before there was a word."""
    old = {"passed": True, "checks": {}, "thresholds": 0}

    assert word_of(old) == "unjudged"
    assert word_of({**old, "thresholds": 1}) == "pass"
    assert word_of({**old, "passed": False}) == "fail"


def test_a_missing_threshold_is_named_with_the_worst_outputs_number() -> None:
    """The least cosine and the largest error; an output without a finite element has none."""
    total = {"a": {"cosine": 0.9, "max_abs": 0.5}, "b": {"cosine": 0.99, "max_abs": 2.0}, "c": dict.fromkeys(STATS)}
    said = missing_threshold("int8", total)

    assert "add model.validation.deviation.cosine.int8: … (measured 0.9) or max_abs.int8: … (2)" in said
    assert "measured 0.999999997" in missing_threshold("tf32", {"y": {"cosine": 0.999999997, "max_abs": 1e-7}})
    assert "measured none" in missing_threshold("int8", {"c": dict.fromkeys(STATS)})


GOOD = {**STATS, "max_abs": 1e-3, "sqnr_db": 90.0, "exact_share": 0.99}


def exported(limits: dict[str, float], whole: tuple[str, ...] = (), **changed: Any) -> dict[str, Any]:
    return export_checks({"y": {**GOOD, **changed}}, limits, whole)


def test_the_exported_graph_is_judged_by_the_configs_limits_in_every_precision() -> None:
    """They are fp32's, or the export's own, and no precision is asked."""
    validation = Validation({"cosine": {"fp32": 0.9999, "int8": 0.9}, "max_abs": {"int8": 1.0}})

    assert validation.export_limits == {"cosine": 0.9999}
    assert replace(validation, export={"rmse": 0.5}).export_limits == {"rmse": 0.5}
    assert not exported({"cosine": 0.9999})["export: y: cosine"]["passed"]


@pytest.mark.parametrize(
    ("changed", "whole", "checked", "fits"),
    [
        ({}, (), "sqnr_db", True),
        ({"sqnr_db": 0.05}, (), "sqnr_db", False),
        ({"sqnr_db": -3.0, "max_abs": 1e-9}, (), "max_abs", True),
        ({"sqnr_db": None, "max_abs": 0.0}, (), "max_abs", True),
        ({"sqnr_db": 8.0}, ("y",), "exact_share", True),
        ({"exact_share": 0.5}, ("y",), "exact_share", False),
    ],
)
def test_without_a_limit_a_default_judges_the_exported_graph(
    changed: dict[str, Any], whole: tuple[str, ...], checked: str, fits: bool
) -> None:  # fmt: skip
    """By its share of noise; outputs that cancel to zero by their error, whole numbers by how many are equal."""
    checks = exported({}, whole, **changed)

    assert list(checks) == ["export: y: no NaN or infinity", f"export: y: {checked}"]
    assert checks[f"export: y: {checked}"]["passed"] is fits


def test_an_output_without_a_finite_element_has_nothing_for_a_default_to_judge() -> None:
    """A detector that found nothing; NaN on one side only fails all the same."""
    nothing = dict.fromkeys(GOOD) | {"nonfinite_mismatch": 0}

    assert list(exported({}, **nothing)) == ["export: y: no NaN or infinity"]
    assert not exported({}, **nothing | {"nonfinite_mismatch": 1})["export: y: no NaN or infinity"]["passed"]


def test_a_fault_of_the_export_blames_the_exporter() -> None:
    """Not the precision; a default that holds judges nothing of the precision either."""
    checks = exported({}, sqnr_db=0.05)
    made = verdict_document(checks, judging=0, why_not="", further=0, not_judged={})

    assert made["word"] == "fail" and export_fault(made).startswith("the exporter is to blame")
    made = verdict_document(exported({}), judging=0, why_not="add this", further=0, not_judged={})
    assert (made["word"], export_fault(made)) == ("unjudged", "")
