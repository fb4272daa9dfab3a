"""Tests of one tensor's error: plain numpy agrees, and nothing is lost to NaN, zeros or shapes."""

from __future__ import annotations

import numpy as np
import pytest

from trtbuild.layers.layererror import errors, fit_layout, groups, same_values

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [1, 2, 7, 70_000])
def test_numbers_are_plain_numpys(size: int) -> None:
    """In float64, whatever the blocks."""
    r = RNG.normal(3, 2, size).astype(np.float32)
    y = r + RNG.normal(0, 1e-2, size).astype(np.float32)
    e, r64, y64 = np.abs((y - r).astype(np.float64)), r.astype(np.float64), y.astype(np.float64)
    rms = np.sqrt((r64**2).mean())
    found = errors(r, y)

    assert found["median"] == pytest.approx(np.median(e) / rms, rel=1e-6)
    assert found["max"] == pytest.approx(e.max() / rms, rel=1e-6)
    assert found["nrmse"] == pytest.approx(np.sqrt((e**2).mean()) / rms, rel=1e-6)
    assert found["sqnr_db"] == pytest.approx(10 * np.log10((r64**2).sum() / (e**2).sum()), rel=1e-6)
    assert found["cosine"] == pytest.approx(r64 @ y64 / np.linalg.norm(r64) / np.linalg.norm(y64), abs=1e-9)


def test_the_arguments_are_not_changed() -> None:
    """The median reorders a copy."""
    r, y = np.arange(9, dtype=np.float32), np.arange(9, dtype=np.float32)[::-1].copy()
    before = r.copy(), y.copy()
    errors(r, y)

    assert (r == before[0]).all() and (y == before[1]).all()


def test_equal_tensors_have_no_error() -> None:
    """No decibels either, rather than an infinity."""
    found = errors(np.ones(4, np.float32), np.ones(4, np.float32))

    assert (found["max"], found["sqnr_db"], found["cosine"]) == (0.0, None, 1.0)


def test_a_reference_of_zeros_is_not_normalised() -> None:
    """The error stands as it is."""
    found = errors(np.zeros(4, np.float32), np.full(4, 0.5, np.float32))

    assert (found["rms"], found["nrmse"], found["cosine"], found["sqnr_db"]) == (0.0, 0.5, 0.0, None)


def test_nan_of_its_own_is_counted_and_left_out() -> None:
    """The same NaN or infinity on both sides is none."""
    r = np.array([1, np.nan, np.inf, 2, 3], np.float32)
    found = errors(r, np.array([1, np.nan, np.inf, np.nan, 4], np.float32))

    assert (found["nonfinite"], found["max_abs"]) == (1, 1.0)


def test_nothing_finite_gives_no_number() -> None:
    """And no warning."""
    assert errors(np.full(2, np.nan, np.float32), np.ones(2, np.float32))["nrmse"] is None


def test_values_are_the_same_up_to_arithmetic() -> None:
    """Two thousandths of the largest element."""
    r = np.array([100.0, 1.0], np.float32)

    assert same_values(errors(r, r + np.float32(0.19)), r)
    assert not same_values(errors(r, r + np.float32(0.21)), r)


def test_an_infinite_reference_proves_nothing() -> None:
    """The tolerance is a share of the largest finite element."""
    r = np.array([-np.inf, 1, 2], np.float32)

    assert not same_values(errors(r, r * 50), r)
    assert same_values(errors(r, r), r)


def test_a_known_layout_gives_one_candidate() -> None:
    """Transposed where ONNX is NCHW."""
    values = RNG.normal(size=(1, 2, 3, 4))

    assert [a.shape for a in fit_layout(values, (1, 4, 2, 3), "NCHW")] == [(1, 4, 2, 3)]
    assert fit_layout(values, (1, 4, 2, 3), "NCHW")[0][0, 3, 1, 2] == values[0, 1, 2, 3]


def test_an_ambiguous_layout_gives_both() -> None:
    """Values decide."""
    assert len(fit_layout(np.zeros((1, 3, 3, 3)), (1, 3, 3, 3), None)) == 2


def test_kept_dimensions_do_not_matter() -> None:
    """A global pool is [n, c] in one framework and [n, c, 1, 1] in the other."""
    assert fit_layout(np.zeros((2, 5)), (2, 5, 1, 1), None)[0].shape == (2, 5, 1, 1)
    assert fit_layout(np.zeros((2, 5)), (2, 4), None) == []


def test_groups_fit_the_budget_in_order() -> None:
    """A tensor larger than the budget has its own group; nothing is left out."""
    assert groups({"a": 4, "b": 4, "c": 9, "d": 1}, 8) == [["a", "b"], ["c"], ["d"]]
    assert groups({}, 8) == []


def test_an_error_behind_large_constants_is_measured_by_itself() -> None:
    """A tenth of the scores, which a mask of -1e9 dwarfs; a wide but ordinary tensor has no such part."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=1000).astype(np.float32)
    masked = np.where(np.arange(1000) % 3 == 0, np.float32(-1e9), scores)
    found = errors(masked, np.where(masked == scores, 1.1 * scores, masked).astype(np.float32))

    assert found["nrmse"] < 1e-9 and found["hidden"] == pytest.approx(0.1, rel=1e-5)
    wide = (1e5 * scores * np.maximum(rng.normal(size=1000), 0)).astype(np.float32)
    assert errors(wide, wide + 1)["hidden"] is None
    assert errors(masked, masked)["hidden"] == 0.0
