"""Tests of deviation numbers, against plain numpy."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtbuild.kit.statistics import LOG10_EDGES, compare, histogram

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
    """The cosine tells a flipped sign."""
    assert compare(numbers(1, 2), numbers(-1, -2))["cosine"] == pytest.approx(-1.0)


@pytest.mark.parametrize(("other", "cosine", "positive"), [((0.0, 0.0), 1.0, None), ((1.0, 0.0), 0.0, False)])
def test_a_reference_of_zeros(other: tuple[float, ...], cosine: float, positive: bool | None) -> None:
    """Equal zeros are alike; noise without a signal is below 0 dB."""
    found = compare(numbers(0, 0), numbers(*other))

    assert found["cosine"] == cosine
    assert (None if found["sqnr_db"] is None else found["sqnr_db"] > 0) == positive


def test_nan_and_infinity_are_counted_and_left_out() -> None:
    """Where both sides agree on them they are no mismatch."""
    found = compare(numbers(np.nan, np.inf, np.inf, 1, 2), numbers(np.nan, np.inf, -np.inf, np.nan, 2.5))

    assert {k: found[k] for k in ("count", "nan", "inf", "reference_nonfinite", "nonfinite_mismatch")} == {
        "count": 5, "nan": 2, "inf": 2, "reference_nonfinite": 3, "nonfinite_mismatch": 2,
    }  # fmt: skip
    assert found["max_abs"] == 0.5


def test_nothing_finite_gives_no_numbers() -> None:
    """None is said, not zero."""
    found = compare(numbers(np.nan), numbers(1))

    assert found["nonfinite_mismatch"] == 1
    assert {found[name] for name in ("max_abs", "rmse", "cosine", "sqnr_db", "worst")} == {None}


def test_the_worst_element_is_named_by_its_place() -> None:
    """Its index counts the elements that were left out."""
    reference = np.array([[np.nan, 1], [2, 3]], np.float32)
    found = compare(reference, np.array([[0, 1], [7, 3]], np.float32))

    assert found["worst"] == {"index": [1, 0], "reference": 2.0, "value": 7.0}


def test_integers_do_not_wrap() -> None:
    """Class indices of unsigned type differ by their distance."""
    assert compare(np.array([1], np.uint8), np.array([3], np.uint8))["bias"] == 2.0


def test_a_histogram_has_fixed_edges() -> None:
    """Eight bins a decade from 1e-12 to 1e6, what is outside beside it."""
    counted = histogram(np.zeros(5), np.array([0.0, 1e-15, 1.5e-12, 1.5, 1e9]))

    assert (len(LOG10_EDGES), LOG10_EDGES[0], LOG10_EDGES[-1]) == (145, -12.0, 6.0)
    assert (counted["zero"], counted["below"], counted["above"]) == (1, 1, 1)
    assert [i for i, count in enumerate(counted["counts"]) if count] == [1, 97]
