"""Tests of task metrics."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from trtbuild.base.errors import ConfigError, DataError
from trtbuild.deviation.metrics import doubt, higher_is_better, mean_iou, mse, score, top1

LABELS = np.array([[0, 1], [1, 2]])
SCORES = np.eye(3)[LABELS]  # [2, 2, 3]: the right class everywhere


def task(metric: str, output: str | None = None, better: bool = True) -> dict[str, Any]:
    return {"metric": metric, "output": output, "higher_is_better": better}


def test_top1_is_the_share_of_hits() -> None:
    """Three of four."""
    assert top1(np.eye(4)[[0, 1, 2, 2]], np.array([0, 1, 2, 3])) == 0.75


@pytest.mark.parametrize("output", [SCORES, np.moveaxis(SCORES, -1, 1), LABELS], ids=["NHWC", "NCHW", "indices"])
def test_a_perfect_segmentation(output: Any) -> None:
    """Scores in either layout, or class indices."""
    assert mean_iou(output, LABELS) == 1.0


def test_mean_iou_counts_classes_that_occur() -> None:
    """Class 0: 1 of 2, class 3: 1 of 2; classes 1 and 2 do not occur, so the mean leaves them out."""
    assert mean_iou(np.array([0, 0, 3]), np.array([0, 3, 3])) == pytest.approx(0.5)


def test_mse_is_of_floats() -> None:
    """Bytes do not wrap around, and the output takes the labels' shape."""
    assert mse(np.array([[1], [5]], np.uint8), np.array([3, 3], np.uint8)) == 4.0


def test_labels_that_do_not_fit() -> None:
    """The message has both shapes."""
    with pytest.raises(DataError, match=r"labels of shape \[3\] do not fit an output of shape \[2, 4\]"):
        top1(np.zeros((2, 4)), np.zeros(3))


@pytest.mark.parametrize(
    ("metric", "output", "labels"),
    [(mse, np.zeros((2, 4)), np.zeros(3)), (mean_iou, LABELS, -LABELS)],
    ids=["mse of another shape", "negative label"],
)
def test_labels_that_make_no_sense(metric: Any, output: Any, labels: Any) -> None:
    """Every built-in metric names the labels that it cannot use."""
    with pytest.raises(DataError, match="labels"):
        metric(output, labels)


def test_one_output_needs_no_name() -> None:
    """With several, the config names one."""
    outputs = {"a": np.eye(2), "b": np.eye(2)}
    labels = np.array([0, 1])

    assert score(task("top1"), {"a": np.eye(2)}, labels) == score(task("top1", "b"), outputs, labels) == 1.0
    with pytest.raises(ConfigError, match="the model has several outputs, so name one; the model has a, b"):
        score(task("top1"), outputs, labels)
    with pytest.raises(ConfigError, match=r"model\.validation\.task\.output: no output 'c'"):
        score(task("top1", "c"), outputs, labels)


@pytest.mark.parametrize(
    ("metric", "output", "found"),
    [
        ("top1", np.eye(3)[[0, 1, 1]], 1.0),
        ("mean_iou", np.eye(3)[[0, 1, 1]], 1.0),
        ("mse", np.array([0.0, 1.0, 7.0]), 0.0),
    ],
)
def test_one_label_may_be_left_out(metric: str, output: Any, found: float) -> None:
    """Unlabelled elements (255, by convention) count neither as hits nor as misses."""
    labels = np.array([0, 1, 255])

    assert score({**task(metric), "ignore_label": 255}, {"y": output}, labels) == found


@pytest.mark.parametrize(
    ("metric", "output", "labels"),
    [("mse", np.zeros((2, 4)), np.zeros(3)), ("top1", np.eye(2), np.array([255, 255]))],
    ids=["another shape", "nothing left"],
)
def test_labels_that_leave_nothing_to_judge(metric: str, output: Any, labels: Any) -> None:
    """The same mistakes are named when a label is left out."""
    with pytest.raises(DataError, match="label"):
        score({**task(metric), "ignore_label": 255}, {"y": output}, labels)


SOFT = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]], np.float32)
TRUTH = np.array([0, 1, 2, 1])  # three of four are right


@pytest.mark.parametrize(
    "labels", [TRUTH, TRUTH.astype(np.float64), np.eye(3)[TRUTH], np.eye(3, dtype=np.uint8)[TRUTH]],
    ids=["indices", "whole floats", "one-hot", "one-hot bytes"],
)  # fmt: skip
def test_labels_of_one_meaning_give_one_score(labels: Any) -> None:
    """However they are stored."""
    assert score(task("top1"), {"y": SOFT}, labels) == 0.75


@pytest.mark.parametrize("axis", [-1, 1])
def test_one_hot_labels_of_a_segmentation(axis: int) -> None:
    """In the layout of the scores; one label may still be left out."""
    scores, labels = (np.moveaxis(values, -1, axis) for values in (SCORES * 0.9, SCORES))

    assert score(task("mean_iou"), {"y": scores}, labels) == 1.0
    assert score({**task("mean_iou"), "ignore_label": 2}, {"y": scores}, labels) == 1.0


@pytest.mark.parametrize(
    ("metric", "labels", "said"),
    [
        ("top1", np.full(4, np.nan), "4 of 4 labels are NaN or infinite"),
        ("mean_iou", np.array([0, 1, np.inf, 1]), "1 of 4 labels are NaN or infinite"),
        ("mse", np.where(SOFT > 0.5, np.nan, SOFT), "labels are NaN"),
        ("top1", np.array([0.5, 1, 2, 0]), "labels are not classes: one of them is 0.5; give class indices"),
        ("top1", SOFT, "labels are not classes: one of them is 0.7"),
        ("top1", np.eye(3)[TRUTH] * 0.9, "labels are not classes: one of them is 0.9"),
        ("top1", np.array([0, 1, 3, 1]), "labels range from 0 to 3, the output has 3 classes"),
        ("top1", np.array([0, 1, -1, 1]), "labels range from -1 to 1, the output has 3 classes"),
        ("top1", np.array([[0], [1], [2], [1]]), r"labels of shape \[4, 1\] do not fit"),
        ("top1", np.eye(5)[TRUTH], r"labels of shape \[4, 5\] do not fit"),
        ("mse", SOFT.T, r"labels of shape \[3, 4\] do not fit an output of shape \[4, 3\]"),
    ],
)
def test_labels_that_a_metric_cannot_read_are_refused(metric: str, labels: Any, said: str) -> None:
    """A number computed from them would look like any other."""
    with pytest.raises(DataError, match=said):
        score(task(metric), {"y": SOFT}, labels)


def test_scores_of_the_labels_shape_are_no_classes() -> None:
    """A sigmoid would be truncated to 0 everywhere; floats that are whole numbers may be classes."""
    with pytest.raises(DataError, match="holds classes, but this one has fractions"):
        score(task("top1"), {"y": np.array([[0.2], [0.9]])}, np.array([[0], [1]]))
    assert score(task("top1"), {"y": np.array([0.0, 2.0])}, np.array([0, 1])) == 0.5


@pytest.mark.parametrize(
    ("metric", "output", "labels", "said"),
    [
        ("top1", np.eye(3)[[1, 2, 0, 0]] * 0.9, np.array([0, 1, 2, 1]), "nothing is right"),
        ("top1", np.eye(2)[[0, 0, 0, 1]], np.array([0, 0, 0, 0]), r"no better than always saying class 0 \(1\)"),
        ("top1", np.eye(5)[[0, 1, 0, 0, 0]] * 0.9, np.arange(5), "a guess among 5 classes may score 0.49 on 5 labels"),
        ("mean_iou", np.eye(2)[[1, 1, 1, 1]] * 0.9, np.array([1, 1, 0, 1]), r"always saying class 1 \(0.375\)"),
        ("mse", np.array([3.0, 1.0]), np.array([1.0, 3.0]), r"no better than always saying the labels' mean \(1\)"),
        ("top1", np.eye(3)[[0, 1, 2, 2, 0, 1]], np.array([0, 1, 2, 2, 0, 1]), "^$"),
        ("mse", np.array([1.5, 2.5]), np.array([1.0, 3.0]), "^$"),
        (f"{__name__}:nothing", np.eye(2), np.array([0, 1]), "nothing is right"),
    ],
)
def test_a_source_model_that_knows_nothing_is_doubted(metric: str, output: Any, labels: Any, said: str) -> None:
    """Usually its labels or its preprocessing are wrong, and then no drop means anything."""
    outputs = {"y": output}

    assert re.search(said, doubt(task(metric), outputs, labels, score(task(metric), outputs, labels)))


def nothing(outputs: dict[str, Any], labels: Any) -> float:
    """A user's metric: nothing is right."""
    return 0.0


def count_outputs(outputs: dict[str, Any], labels: Any) -> float:
    """A user's metric: gets all outputs by name."""
    return len(outputs) + float(labels.sum())


def test_a_metric_may_be_any_callable() -> None:
    """It sees every output, and the labels."""
    assert score(task(f"{__name__}:count_outputs"), {"a": 0, "b": 0}, np.array([2])) == 4.0  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("metric", "said", "better"),
    [("mse", True, False), ("top1", False, True), ("pkg:m", False, False), ("pkg:m", True, True)],
)
def test_which_way_is_better(metric: str, said: bool, better: bool) -> None:
    """It is fixed for built-in metrics; for a callable, the config says it."""
    assert higher_is_better(task(metric, better=said)) is better
