"""Tests of deviation numbers, against plain numpy."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtbuild.deviation.layout import NoClasses
from trtbuild.deviation.statistics import Comparison, compare, histogram, measure

Array = np.ndarray[Any, Any]
NUMBERS = st.floats(-(2.0**60), 2.0**60, width=32)
PAIRS = arrays.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 40)), elements=NUMBERS)


def numbers(*values: float) -> Array:
    return np.array(values, np.float32)


@settings(max_examples=60)
@given(PAIRS)
def test_numbers_are_numpys(pair: Array) -> None:
    """Each statistic equals its textbook form in float64."""
    reference, other = pair.astype(np.float64)
    error = np.abs(other - reference)
    found = compare(*pair)
    quantiles = dict(zip(("median_abs", "p99_abs", "p999_abs"), np.quantile(error, [0.5, 0.99, 0.999]), strict=True))
    plain = {
        "max_abs": error.max(),
        "mean_abs": error.mean(),
        "rmse": np.sqrt((error**2).mean()),
        "bias": (other - reference).mean(),
    }

    for name, value in {**plain, **quantiles, "reference_rms": np.sqrt((reference**2).mean())}.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-30)
    assert found["exact_share"] == (error == 0).mean()


@settings(max_examples=60)
@given(PAIRS)
def test_likeness_is_bounded(pair: Array) -> None:
    """A cosine lies in [-1, 1]; a histogram counts every element once."""
    counted = histogram(*pair)

    assert -1.0 - 1e-9 <= compare(*pair)["cosine"] <= 1.0
    assert counted["zero"] + counted["below"] + counted["above"] + sum(counted["counts"]) == pair.shape[1]


def test_exact_equality_has_no_noise() -> None:
    """All errors are zero, decibels have no meaning."""
    found = compare(numbers(1, -2, 3), numbers(1, -2, 3))

    assert [found[name] for name in ("max_abs", "rmse", "bias", "p999_abs")] == [0.0] * 4
    assert (found["cosine"], found["sqnr_db"], found["exact_share"]) == (1.0, None, 1.0)


def test_decibels() -> None:
    """A tenth of the amplitude is 20 dB."""
    assert compare(numbers(10, 10), numbers(11, 9))["sqnr_db"] == pytest.approx(20.0)


def test_opposite_vectors() -> None:
    """The cosine reveals a flipped sign."""
    assert compare(numbers(1, 2), numbers(-1, -2))["cosine"] == pytest.approx(-1.0)


@pytest.mark.parametrize(("other", "cosine", "positive"), [((0.0, 0.0), 1.0, None), ((1.0, 0.0), 0.0, False)])
def test_a_reference_of_zeros(other: tuple[float, ...], cosine: float, positive: bool | None) -> None:
    """Equal zeros are alike; noise without a signal is below 0 dB."""
    found = compare(numbers(0, 0), numbers(*other))

    assert found["cosine"] == cosine
    assert (None if found["sqnr_db"] is None else found["sqnr_db"] > 0) == positive


def test_nan_and_infinity_are_counted_and_left_out() -> None:
    """Where both sides agree on them, they are not a mismatch."""
    found = compare(numbers(np.nan, np.inf, np.inf, 1, 2), numbers(np.nan, np.inf, -np.inf, np.nan, 2.5))

    assert {k: found[k] for k in ("count", "nan", "inf", "reference_nonfinite", "nonfinite_mismatch")} == {
        "count": 5, "nan": 2, "inf": 2, "reference_nonfinite": 3, "nonfinite_mismatch": 2,
    }  # fmt: skip
    assert found["max_abs"] == 0.5


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_are_those_of_the_finite_elements(dtype: str, seed: int) -> None:
    """NaN and infinity anywhere on either side: every number equals plain numpy on the finite elements."""
    rng = np.random.default_rng(seed)
    r, y = (rng.normal(size=(3, 4, 2)).astype(dtype) for _ in range(2))
    for side in (r, y):
        for bad in (np.nan, np.inf, -np.inf):
            side[rng.random(side.shape) < 0.1] = bad
    wide, other = r.astype(float), y.astype(float)
    kept = np.isfinite(wide) & np.isfinite(other)
    error = np.abs(other[kept] - wide[kept])
    found = measure(r, y, per_sample=True)
    counted = found.histogram

    assert (found.summary["max_abs"], found.summary["p99_abs"]) == (error.max(), np.percentile(error, 99))
    assert found.summary["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-12)
    assert found.summary["bias"] == pytest.approx((other[kept] - wide[kept]).mean(), rel=1e-9)
    assert [e["error"] for e in found.detail["worst"]] == sorted(error, reverse=True)[:10]
    assert counted["zero"] + counted["below"] + counted["above"] + sum(counted["counts"]) == error.size
    assert sum(count for _, _, count in found.detail["by_magnitude"]) == error.size


def test_nothing_finite_gives_no_numbers() -> None:
    """The numbers are None, not zero."""
    found = compare(numbers(np.nan), numbers(1))

    assert found["nonfinite_mismatch"] == 1
    assert {found[name] for name in ("max_abs", "rmse", "cosine", "sqnr_db", "worst")} == {None}


def test_the_worst_element_is_named_by_its_place() -> None:
    """Its index counts the elements that were left out."""
    reference = np.array([[np.nan, 1], [2, 3]], np.float32)
    found = compare(reference, np.array([[0, 1], [7, 3]], np.float32))

    assert found["worst"] == {"index": [1, 0], "reference": 2.0, "value": 7.0}


def test_integers_do_not_wrap() -> None:
    """Unsigned class indices differ by their distance."""
    assert compare(np.array([1], np.uint8), np.array([3], np.uint8))["bias"] == 2.0


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint64", "bool"])
def test_every_dtype_is_compared_in_float64(dtype: str) -> None:
    """Percentiles, absolute and relative, are numpy's to the last bit."""
    rng = np.random.default_rng(3)
    r, y = (rng.integers(0, 2, 999) if dtype == "bool" else rng.normal(20, 9, 999).clip(0) for _ in range(2))
    r, y = r.astype(dtype), y.astype(dtype)
    found, wide = compare(r, y), r.astype(float)
    error = np.abs(y.astype(float) - wide)
    relative = error / (np.abs(wide) + found["relative_floor"])

    for name, q in {"median": 50, "p90": 90, "p99": 99, "p999": 99.9, "max": 100}.items():
        assert (found[f"{name}_abs"], found[f"{name}_rel"]) == (np.percentile(error, q), np.percentile(relative, q))
    assert found["relative_floor"] == pytest.approx(1e-3 * np.sqrt((wide**2).mean()), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_large_integers_that_differ_are_not_equal(dtype: Any) -> None:
    """As float64 they would be: 2^60 and 2^60 + 1, and the ends of the range."""
    r = np.array([2**60, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
    found = compare(r, np.array([2**60 + 1, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype))

    assert (found["exact_share"], found["max_abs"], found["worst"]["index"]) == (0.0, 2.0**64, [1])
    assert found["median_abs"] == 2.0**64


@pytest.mark.parametrize("cuts", [1, 3, 50])
def test_sums_do_not_depend_on_how_rows_are_cut(cuts: int) -> None:
    """An accumulator fed with batches of any size gives the same numbers."""
    rng = np.random.default_rng(0)
    r, y = rng.normal(1e4, 1, (1000, 7)), rng.normal(1e4, 1, (1000, 7))
    comparison = Comparison(r.shape, per_sample=True, classes=NoClasses("test"))
    for rows in zip(np.array_split(r, cuts), np.array_split(y, cuts), strict=True):
        comparison.add(*rows)
    found, whole = comparison.result(), measure(r, y, per_sample=True)

    for name in ("mean_abs", "rmse", "cosine", "reference_rms"):
        assert found.summary[name] == pytest.approx(whole.summary[name], rel=1e-12)
    assert found.summary["bias"] == pytest.approx(whole.summary["bias"], abs=1e-12 * whole.summary["mean_abs"])
    assert (found.histogram, found.detail["worst"]) == (whole.histogram, whole.detail["worst"])


def test_what_float64_cannot_hold_is_no_number() -> None:
    """Squares beyond 1e308 are not infinity in a report, and pass no limit."""
    found = compare(np.array([1e200, 0.0]), np.array([-1e200, 0.0]))

    assert (found["max_abs"], found["rmse"], found["sqnr_db"], found["max_rel"]) == (2e200, None, None, None)


def test_a_single_number_is_an_array_of_one() -> None:
    """A scalar output has one element, at [0]."""
    assert compare(np.float32(1), np.float32(1.5))["worst"] == {"index": [0], "reference": 1.0, "value": 1.5}


def test_no_share_of_nothing() -> None:
    """A reference of zeros has no relative error; an empty output has no numbers."""
    zeros, empty = compare(numbers(0, 0), numbers(1, 0)), compare(np.zeros((0, 3)), np.zeros((0, 3)))

    assert (zeros["max_rel"], zeros["max_abs"], zeros["cosine"]) == (None, 1.0, 0.0)
    assert (empty["count"], empty["max_abs"], empty["cosine"]) == (0, None, None)
