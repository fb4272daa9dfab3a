"""Tests of where errors are, recomputed with plain numpy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from trtbuild.arrays import arrayfile
from trtbuild.deviation.layout import Classes, NoClasses, classes_of
from trtbuild.deviation.statistics import measure

Array = np.ndarray[Any, Any]
FLOAT, INT = np.dtype("float32"), np.dtype("int64")


def pair(*shape: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=shape).astype(np.float32)
    return reference, (reference + rng.normal(size=shape) * 1e-3).astype(np.float32)


def detail(r: Array, y: Array, classes: Classes | None = None) -> dict[str, Any]:
    return measure(r, y, per_sample=True, classes=classes).detail


@pytest.fixture(autouse=True, params=[7, 1 << 17], ids=["rows", "whole"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All results hold whether an array is read at once or row by row."""
    monkeypatch.setattr(arrayfile.rows_of, "__defaults__", (request.param,))


def test_the_worst_elements_have_index_sample_and_both_values() -> None:
    """The ten largest in order; the first of equal ones."""
    r, y = pair(3, 4, 5)
    y[1, 2, 3], y[2, 0, 0] = r[1, 2, 3] + 8, r[2, 0, 0] - 8
    found = detail(r, y)["worst"]
    error = np.abs(y.astype(float) - r).ravel()

    assert [e["index"] for e in found[:2]] == [[1, 2, 3], [2, 0, 0]]
    assert [e["error"] for e in found] == sorted(error, reverse=True)[:10]
    assert (found[0]["sample"], found[0]["reference"], found[0]["value"]) == (1, float(r[1, 2, 3]), float(y[1, 2, 3]))


def test_ties_are_ordered_by_place() -> None:
    """A thousand equal errors: the first ten of the array."""
    assert [e["index"] for e in detail(np.zeros((1000, 1)), np.ones((1000, 1)))["worst"]] == [[i, 0] for i in range(10)]


@pytest.mark.parametrize("bad", [1, 3])
def test_a_bad_channel_comes_first_in_both_conventions(bad: int) -> None:
    """Axis 1 and the last axis, each with its RMS, largest and signed error."""
    r, y = pair(2, 6, 5, 4)
    for i in range(4):
        y[:, i, :, bad] -= 1
    first, last = detail(r, y)["channels"]
    signed = y.astype(float) - r

    assert (first["axis"], first["count"], last["axis"], last["count"]) == (1, 6, 3, 4)
    assert last["worst"][0]["channel"] == bad
    for found, axes in ((first["worst"][0], (0, 2, 3)), (last["worst"][0], (0, 1, 2))):
        i = found["channel"]
        assert found["rmse"] == pytest.approx(np.sqrt((signed**2).mean(axes))[i], rel=1e-5)
        assert found["max"] == pytest.approx(np.abs(signed).max(axes)[i], rel=1e-5)
        assert found["bias"] == pytest.approx(signed.mean(axes)[i], rel=1e-5)


def test_no_more_than_twenty_channels_are_listed() -> None:
    """A thousand classes are one axis, in both conventions."""
    (found,) = detail(*pair(2, 1000))["channels"]

    assert (found["axis"], found["count"], len(found["worst"])) == (1, 1000, 20)
    assert found["worst"] == sorted(found["worst"], key=lambda c: -c["rmse"])


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((2, 40, 70, 3), [1, 2]), ((2, 3, 40, 70), [2, 3]), ((2, 40, 70), [1, 2]), ((2, 3, 4, 5, 2), [2, 3])],
)
def test_a_map_shows_where_in_the_picture(shape: tuple[int, ...], axes: list[int]) -> None:
    """Both conventions; a cell is the mean, or the largest, of its positions over all other axes."""
    r, y = pair(*shape)
    found = detail(r, y)["positions"]
    error = np.abs(y.astype(float) - r)
    error = np.moveaxis(error, axes, (-2, -1)).reshape(-1, shape[axes[0]], shape[axes[1]])
    down, across = ([*starts, n] for starts, n in zip(found["starts"], found["shape"], strict=True))
    cells = [[error[:, a:b, c:d] for c, d in pairwise(across)] for a, b in pairwise(down)]

    assert found["axes"] == axes
    assert len(found["mean"]) <= 32
    np.testing.assert_allclose(found["mean"], [[c.mean() for c in row] for row in cells], rtol=1e-5)
    np.testing.assert_allclose(found["max"], [[c.max() for c in row] for row in cells], rtol=1e-5)


def test_the_worst_sample_is_named() -> None:
    """Largest and RMS error of each sample, in a strip of at most 256 groups."""
    r, y = pair(600, 4)
    y[417] += 1
    found = detail(r, y)["samples"]
    error = np.abs(y.astype(float) - r)
    groups = [slice(a, b) for a, b in pairwise([*found["first"], 600])]

    assert found["worst"][0]["sample"] == 417
    assert found["worst"][0]["rmse"] == pytest.approx(np.sqrt((error[417] ** 2).mean()), rel=1e-5)
    assert len(groups) == 256
    np.testing.assert_allclose(found["max"], [error[g].max() for g in groups], rtol=1e-5)
    np.testing.assert_allclose(found["rmse"], [np.sqrt((error[g] ** 2).mean()) for g in groups], rtol=1e-5)
    assert found["least_max"] == pytest.approx(error.max(1).min(), rel=1e-5)


@pytest.mark.parametrize("axis", [1, 3])
def test_class_decisions_are_compared(axis: int) -> None:
    """A rate over all positions, and the samples with the most differences."""
    r, y = pair(5, 6, 7, 8)
    y[3] = -y[3]
    found = detail(r, y, Classes(axis, "shape"))["argmax"]
    summary = measure(r, y, classes=Classes(axis, "shape")).summary
    differ = r.argmax(axis) != y.argmax(axis)

    assert (found["compared"], found["differ"], found["rate"]) == (differ.size, differ.sum(), differ.mean())
    assert summary["argmax_disagreement"] == differ.mean()
    assert found["worst"][0] == {"sample": 3, "share": pytest.approx(differ[3].mean(), rel=1e-5)}


def test_a_decision_with_nan_is_left_out() -> None:
    """numpy's argmax would choose the NaN."""
    r, y = pair(4, 3)
    y[2, 1] = np.nan

    found = detail(r, y, Classes(1, "shape"))["argmax"]
    assert (found["compared"], found["left_out"]) == (3, 1)


def test_classes_themselves_are_compared_one_by_one() -> None:
    """An output of integers holds decisions already made."""
    r = np.array([[1, 2], [3, 4]])
    found = detail(r, np.array([[1, 2], [3, 5]]), Classes(None, "integers"))["argmax"]

    assert (found["differ"], found["rate"], found["worst"][0]["sample"]) == (1, 0.25, 1)


@pytest.mark.parametrize(
    ("shape", "dtype", "metric", "expected"),
    [
        ((8, 10), FLOAT, None, Classes(1, "shape")),
        ((8, 96, 160, 5), FLOAT, None, Classes(3, "shape")),
        ((8, 5, 96, 160), FLOAT, None, Classes(1, "shape")),
        ((8, 96, 160, 5), FLOAT, "mean_iou", Classes(3, "task")),
        ((8, 20, 5), FLOAT, "top1", Classes(2, "task")),
        ((8, 96, 160), INT, None, Classes(None, "integers")),
    ],
)
def test_scores_of_classes_are_known_by_task_or_shape(shape: Any, dtype: Any, metric: Any, expected: Any) -> None:
    """The shorter of axis 1 and the last axis."""
    assert classes_of(shape, dtype, metric) == expected


@pytest.mark.parametrize(
    ("shape", "metric", "why"),
    [
        ((8,), None, "single number"), ((8, 1), None, "nothing to choose"), ((8, 20, 4), None, "no axis"),
        ((8, 4), "mse", "regression"),
    ],
)  # fmt: skip
def test_where_there_are_no_classes_the_reason_is_said(shape: Any, metric: Any, why: str) -> None:
    """Boxes, depths and embeddings have no argmax."""
    found = classes_of(shape, FLOAT, metric)

    assert isinstance(found, NoClasses)
    assert why in found.why


def test_the_smallest_tolerance_passes_and_a_smaller_one_does_not() -> None:
    """|y - r| <= atol + rtol |r| for every element, in float64."""
    r, y = pair(50, 7)
    error, size = np.abs(y.astype(float) - r), np.abs(r.astype(float))
    for found in detail(r, y)["tolerance"]:
        assert (error <= found["atol"] + found["rtol"] * size).all()
        assert found["atol"] == 0 or (error > found["atol"] * (1 - 1e-9) + found["rtol"] * size).any()


def test_errors_are_counted_against_the_size_of_the_reference() -> None:
    """Two bins per decade on each axis; 0 has its own bin."""
    r = np.array([0.0, 1.0, 1.0, 100.0, 1e-12, 1e9])
    y = r + np.array([0.0, 0.0, 0.2, 0.2, 2e-12, 1e7])

    # bins: (error, reference); 2 + 2 * (log10 - lowest), the error from 1e-12, the reference from 1e-8
    assert detail(r, y)["by_magnitude"] == [[0, 0, 1], [0, 18, 1], [2, 1, 1], [24, 18, 1], [24, 22, 1], [38, 30, 1]]


def test_elements_with_nan_are_in_no_count() -> None:
    """Means over channels, positions and samples cover the finite elements."""
    r, y = pair(2, 4, 4, 2)
    y[0, 1, 2, 0] = np.nan
    error = np.ma.masked_invalid(np.abs(y.astype(float) - r))
    found = detail(r, y)

    np.testing.assert_allclose(found["positions"]["mean"], error.mean((0, 3)), rtol=1e-5)
    rmse = {c["channel"]: c["rmse"] for c in found["channels"][1]["worst"]}
    np.testing.assert_allclose([rmse[0], rmse[1]], np.sqrt((error**2).mean((0, 1, 2))), rtol=1e-5)
    np.testing.assert_allclose(found["samples"]["rmse"], np.sqrt((error**2).mean((1, 2, 3))), rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (5,)])
def test_shapes_without_channels_or_positions(shape: tuple[int, ...]) -> None:
    """Empty arrays and scalars have none, and nothing breaks."""
    found = detail(np.ones(shape), np.ones(shape))

    assert (found["channels"], found["positions"], found["worst"]) == ([], None, [])
