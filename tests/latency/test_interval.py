"""Tests of what measured latencies mean."""

from __future__ import annotations

from typing import Any

import pytest

from trtbuild.latency.interval import judge, latency_checks, spread, warnings

QUIET = {"load_average": "0.10", "governor": "performance"}
SIDE: dict[str, Any] = {
    "measured": True, "n": 1000, "n_eff": 500.0, "cv": 0.01, "min_ms": 4.9,
    "rounds": [{"n": 500, "p50_ms": 5.0}, {"n": 500, "p50_ms": 5.1}],
    "outliers": {"mild_high": 3, "mild_low": 0, "severe_high": 1, "severe_low": 0},
    "p50_ms": {"value": 5.0, "low": 4.9, "high": 5.1}, "p90_ms": {"value": 5.5, "low": 5.4, "high": 5.6},
    "p99_ms": {"value": 6.0, "low": 5.8, "high": 6.5},
}  # fmt: skip
FAILED = {"measured": False, "why": "ONNX Runtime cannot load it: no bfloat16 Conv"}


def measured(ratio: tuple[float, float, float] | None = None, **sides: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"sides": {"lowered": SIDE, **sides}, "ratios": {}}
    if ratio is not None:
        made["sides"].setdefault("baseline", SIDE)
        made["ratios"]["baseline"] = dict(zip(("value", "low", "high"), ratio, strict=True))
    return made


@pytest.mark.parametrize(
    ("low", "high", "label"),
    [
        (1.021, 1.5, "regressed"), (1.02, 1.5, "inconclusive"), (0.5, 0.979, "improved"), (0.5, 0.98, "inconclusive"),
        (0.98, 1.02, "no change"), (0.97, 1.01, "inconclusive"), (0.5, 2.0, "inconclusive"),
    ],
)  # fmt: skip
def test_the_whole_interval_decides(low: float, high: float, label: str) -> None:
    """Beyond the threshold, within it, or across it; the threshold itself is still noise."""
    assert judge(low, high) == label


def test_a_wider_threshold_forgives_more() -> None:
    """The limit a user sets takes the place of the noise threshold."""
    assert (judge(1.03, 1.05), judge(1.03, 1.05, 0.05)) == ("regressed", "no change")


@pytest.mark.parametrize(("limit", "passed"), [(6.0, True), (5.99, False)])
def test_p99_is_judged_by_its_estimate(limit: float, passed: bool) -> None:
    """And the upper end of its interval stands beside it."""
    checks, not_judged = latency_checks(measured(), {"p99_ms": limit, "max_regression": None})

    assert checks["latency: p99_ms"]["passed"] is passed
    assert checks["latency: p99_ms"]["upper"] == 6.5
    assert not_judged == {}


def test_too_few_samples_for_a_p99() -> None:
    """Not judged, with what would help; but a median above the limit fails all the same."""
    few = {**SIDE, "p99_ms": None, "p90_ms": None, "n": 40, "n_eff": 20.0}
    _, not_judged = latency_checks(measured(lowered=few), {"p99_ms": 6.0})
    checks, _ = latency_checks(measured(lowered=few), {"p99_ms": 4.0})

    assert "n too small: 40 calls say as much as 20" in not_judged["latency: p99_ms"]["why"]
    assert checks["latency: p99_ms"]["passed"] is False


def test_a_median_without_bounds_judges_nothing() -> None:
    """Three calls may all be slow by chance."""
    few = {**SIDE, "p99_ms": None, "p90_ms": None, "p50_ms": {"value": 9.0, "low": None, "high": None}}
    checks, not_judged = latency_checks(measured(lowered=few), {"p99_ms": 4.0})

    assert (list(checks), list(not_judged)) == ([], ["latency: p99_ms"])


@pytest.mark.parametrize(
    ("ratio", "passed"), [((1.2, 1.11, 1.3), False), ((1.05, 1.02, 1.1), True), ((0.8, 0.7, 0.9), True)]
)
def test_a_regression_is_judged_by_its_interval(ratio: tuple[float, float, float], passed: bool) -> None:
    """Fails when all of it is beyond the limit, passes when none of it is."""
    checks, _ = latency_checks(measured(ratio), {"max_regression": 0.1})
    check = checks["latency: max_regression"]

    assert (check["passed"], check["observed"], check["upper"]) == (
        passed, pytest.approx(ratio[0] - 1), pytest.approx(ratio[2] - 1)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (None, "latency=off"), (measured(), "there is no baseline"),
        (measured((1.1, 1.05, 1.2)), "inconclusive: the change is +5.0 to +20.0 %"),
        (measured(baseline=FAILED), "baseline: ONNX Runtime cannot load it"),
        (measured(lowered=FAILED), "lowered graph|there is no baseline|cannot load it"),
    ],
)  # fmt: skip
def test_what_is_not_judged_says_why(made: dict[str, Any] | None, why: str) -> None:
    """Silence would be taken for a pass."""
    checks, not_judged = latency_checks(made, {"max_regression": 0.1})

    assert checks == {}
    assert any(part in not_judged["latency: max_regression"]["why"] for part in why.split("|"))


def test_a_quiet_machine_has_no_warning() -> None:
    """Nothing is said that needs no attention."""
    assert warnings({"lowered": SIDE, "baseline": FAILED}, QUIET, 2, {}) == []


@pytest.mark.parametrize(
    ("changed", "facts", "stolen", "said"),
    [
        ({"cv": 0.03}, {}, {}, "coefficient of variation 3.0 % (above 2.5 %)"),
        ({"rounds": [{"p50_ms": 5.0}, {"p50_ms": 6.0}]}, {}, {}, "medians differ by 20.0 %"),
        ({"outliers": {**SIDE["outliers"], "mild_high": 59}}, {}, {}, "6 % of the calls are outliers"),
        ({"min_ms": 0.012}, {}, {}, "raise latency.batch"),
        ({}, {"load_average": "1.5"}, {}, "busy before the start: load average 1.5 on 2"),
        ({}, {"governor": "powersave"}, {}, "governor: powersave"),
        ({}, {}, {"throttled_us": 250_000}, "quota stopped this measurement for 0.25 s"),
        ({}, {}, {"thermal": 3}, "slowed down for their heat 3 times"),
        ({}, {}, {"steal_ticks": 50, "total_ticks": 1000}, "5.0 % of the cores' time"),
    ],
)
def test_each_doubt_is_one_line(changed: Any, facts: Any, stolen: Any, said: str) -> None:
    """What was seen, in numbers."""
    (line,) = warnings({"lowered": {**SIDE, **changed}}, QUIET | facts, 2, stolen)

    assert said in line


def test_what_cannot_be_read_is_no_warning() -> None:
    """Unknown is neither good nor bad."""
    assert warnings({"lowered": SIDE}, {"load_average": "unknown", "governor": "unknown"}, 2, {}) == []


def test_spread_of_no_round_is_none() -> None:
    """Nothing measured, nothing drifted."""
    assert spread([]) == 0.0
