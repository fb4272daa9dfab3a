"""Tests of latency statistics: recomputed from their definitions, and intervals that hold what they promise."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from trtbuild.latency import timing
from trtbuild.latency.interval import judge

Array = np.ndarray[Any, Any]


def ar1(seed: int, phi: float, n: int, rounds: int = 5, median: float = 5.0, between: float = 0.0) -> list[Array]:
    """Rounds of log-normal AR(1) latencies: the rank autocorrelation is known, and so is every percentile."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(rounds):
        x = generator.normal(size=n // rounds)
        for i in range(1, len(x)):
            x[i] = phi * x[i - 1] + math.sqrt(1 - phi * phi) * x[i]
        made.append(median * np.exp(0.05 * x + between * generator.normal()))
    return made


ROUNDS = ar1(3, 0.5, 1000)
SAMPLES = np.concatenate(ROUNDS)
SUMMARY = timing.summarise(ROUNDS, batch=4)


def test_plain_numbers_are_numpys() -> None:
    """Mean, deviation, extremes, throughput in samples a second."""
    assert SUMMARY["mean_ms"]["value"] == pytest.approx(SAMPLES.mean(), abs=1e-6)
    assert SUMMARY["cv"] == pytest.approx(np.std(SAMPLES) / SAMPLES.mean(), abs=1e-6)
    assert (SUMMARY["min_ms"], SUMMARY["max_ms"]) == pytest.approx((SAMPLES.min(), SAMPLES.max()), abs=1e-6)
    assert SUMMARY["throughput_per_s"] == pytest.approx(4000 / SAMPLES.mean(), abs=1e-3)
    assert [r["p50_ms"] for r in SUMMARY["rounds"]] == pytest.approx([np.median(r) for r in ROUNDS], abs=1e-6)
    assert [r["n"] for r in SUMMARY["rounds"]] == [200] * 5


@pytest.mark.parametrize("n", [1, 2, 3, 10, 99, 100, 101, 1000])
@pytest.mark.parametrize("p", [50, 90, 99])
def test_percentiles_follow_trtexecs_rule(n: int, p: int) -> None:
    """So many samples lie above it as the rule says; 50 is the median."""
    ordered = np.arange(n, dtype=np.float64)
    expected = np.median(ordered) if p == 50 else n - 1 - math.floor((100 - p) * n / 100)

    assert timing.percentile(ordered, p) == expected


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_effective_n_of_a_known_process(phi: float) -> None:
    """n (1 - phi) / (1 + phi) for AR(1)."""
    found = np.mean([timing.effective_n(ar1(seed, phi, 2000)) for seed in range(8)])

    assert found == pytest.approx(2000 * (1 - phi) / (1 + phi), rel=0.2)


def test_one_slow_call_does_not_hide_the_correlation() -> None:
    """Ranks are what is correlated."""
    slow = [r.copy() for r in ar1(1, 0.8, 1000)]
    slow[2][7] = 1e6

    assert timing.effective_n(slow) < 250


def test_a_difference_between_rounds_counts_as_correlation() -> None:
    """Five rounds that each sit elsewhere say little more than five samples."""
    apart = [r + 10 * i for i, r in enumerate(ar1(2, 0.0, 500))]

    assert timing.effective_n(apart) < 30
    assert timing.block_length(apart) == 100


def test_autocorrelation_from_its_definition() -> None:
    """Products of rank deviations inside the rounds, over their number and the variance."""
    rounds = [np.array([1.0, 2.0, 4.0, 3.0]), np.array([5.0, 7.0, 6.0])]
    deviations = [np.array([1, 2, 4, 3]) - 4, np.array([5, 7, 6]) - 4]
    lag1 = np.mean([a * b for d in deviations for a, b in pairwise(d)])

    assert timing.autocorrelation(rounds)[:2] == pytest.approx([1.0, lag1 / 4.0])


def test_equal_samples_are_no_trouble() -> None:
    """A clock that always says the same: an interval of no width, no outlier."""
    made = timing.summarise([np.full(40, 2.0)], batch=1)

    assert made["p50_ms"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert (made["cv"], made["n_eff"], set(made["outliers"].values())) == (0.0, 40.0, {0})


def test_one_sample_is_no_distribution() -> None:
    """A median without bounds is all it has."""
    made = timing.summarise([np.array([7.0]), np.array([])], batch=2)

    assert made["p50_ms"] == {"value": 7.0, "low": None, "high": None}
    assert (made["n"], made["mean_ms"]["value"], made["p90_ms"], made["p99_ms"]) == (1, 7.0, None, None)


@pytest.mark.parametrize(("n", "shown"), [(280, False), (1200, True)])
def test_a_p99_needs_its_effective_n(n: int, shown: bool) -> None:
    """Fewer than 299 independent samples bound it by nothing."""
    assert (timing.summarise(ar1(5, 0.0, n), batch=1)["p99_ms"] is not None) is shown


def test_outliers_by_tukeys_fences() -> None:
    """Quartiles 1 and 3 of 0 to 4: mild beyond 6 and -2, severe beyond 9 and -5."""
    ordered = np.sort(np.array([*(list(range(5)) * 40), 7.0, 8.0, 10.0, -3.0, -6.0, -7.0]))

    assert timing.outliers(ordered) == {"mild_high": 2, "mild_low": 1, "severe_high": 1, "severe_low": 2}


def test_blocks_never_cross_the_end_of_a_round() -> None:
    """Two rounds of constants: every resampled block is of one of them."""
    rounds = [np.zeros(50), np.ones(50)]
    block = timing.block_length(rounds)
    _, means = timing.resample(rounds, (50,), 1)

    assert np.allclose(means * 100 / block % 1, 0)


def test_equal_samples_give_equal_intervals() -> None:
    """The seed is fixed."""
    assert timing.summarise(ROUNDS, 4) == SUMMARY


@pytest.mark.parametrize(("phi", "n"), [(0.0, 300), (0.8, 300), (0.8, 1000)])
def test_intervals_cover_the_truth(phi: float, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """95 % intervals of p50 and p90 hold the true value in 90 % or more of 100 correlated series."""
    monkeypatch.setattr(timing, "REPLICATES", 200)
    held: dict[int, list[bool]] = {50: [], 90: []}
    for seed in range(100):
        made = timing.summarise(ar1(seed, phi, n), batch=1)
        for p, hits in held.items():
            truth = 5 * math.exp(0.05 * NormalDist().inv_cdf(p / 100))
            if (found := made[f"p{p}_ms"]) is not None:
                hits.append(found["low"] <= truth <= found["high"])

    assert [np.mean(hits) >= 0.9 for hits in held.values()] == [True, True]
    assert len(held[50]) == 100


def labels(slower: float, between: float) -> list[str]:
    """Verdicts on 40 pairs of correlated runs whose rounds also differ by ``between``."""
    found = []
    for seed in range(40):
        new = ar1(seed, 0.7, 500, median=5.0 * slower, between=between)
        ratio = timing.ratio_of_medians(new, ar1(1000 + seed, 0.7, 500, between=between))
        found.append(judge(ratio.low, ratio.high))
    return found


@pytest.mark.parametrize("between", [0.0, 0.02])
def test_the_same_program_twice_is_no_regression(between: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A/A runs, also with rounds that drift: at most one of 40 may be called a change."""
    monkeypatch.setattr(timing, "REPLICATES", 200)
    found = labels(1.0, between)

    assert found.count("regressed") + found.count("improved") <= 1


@pytest.mark.parametrize(("slower", "label"), [(1.1, "regressed"), (0.9, "improved")])
def test_ten_percent_are_seen(slower: float, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted change far above the noise is found every time."""
    monkeypatch.setattr(timing, "REPLICATES", 200)
    assert labels(slower, 0.005) == [label] * 40
