"""Tests of the task metric by class and slice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks import perclass
from trtbuild.arrays.slices import Slices
from trtbuild.base.errors import DataError
from trtbuild.deviation import groups, metrics, samplescores, taskscores

DRAW = np.random.default_rng(5)


def task(metric: str, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "output": None, "higher_is_better": metric != "mse", **more}


def group(compared: Any, by: str, name: str) -> Any:
    return next(g for g in compared["groups"] if (g["by"], g["name"]) == (by, name))


@pytest.mark.parametrize("metric", ["top1", "mean_iou", "mse"])
@pytest.mark.parametrize("ignored", [None, 2])
def test_all_samples_have_the_metric_itself(metric: str, ignored: int | None) -> None:
    """Counted by sample, it is the number that the thresholds judge."""
    labels = DRAW.integers(0, 4, (30, 5, 5))
    here = DRAW.normal(size=(30, 5, 5, 4) if metric != "mse" else (30, 5, 5))
    wanted = task(metric, ignore_label=ignored)

    made = taskscores.measure(wanted, {"y": here}, {"y": here}, labels, ())

    found = made["groups"][0]["new"]["value"]
    assert found == pytest.approx(metrics.score(wanted, {"y": here}, labels), rel=1e-5)


def test_classes_and_slices_have_the_metric_of_their_part() -> None:
    """Accuracy of the samples of a class; mean IoU of the samples of a slice."""
    labels = DRAW.integers(0, 3, (40, 6))
    here = DRAW.normal(size=(40, 6, 3))
    night = np.arange(40) % 2
    slices = [Slices("light", ("day", "night"), night)]

    by_class = taskscores.measure(task("top1"), {"y": here}, {"y": here}, labels, slices)
    iou = taskscores.measure(task("mean_iou"), {"y": here}, {"y": here}, labels, slices)

    hits = here.argmax(-1) == labels
    assert group(by_class, "class", "1")["new"]["value"] == pytest.approx(hits[labels == 1].mean(), rel=1e-5)
    dark = night == 1
    assert group(iou, "light", "night")["new"]["value"] == pytest.approx(
        metrics.mean_iou(here[dark], labels[dark]), rel=1e-5
    )
    assert group(iou, "light", "night")["samples"] == 20


def test_a_planted_fall_is_found_and_nothing_else() -> None:
    """5 points of one class of 200 samples, with an unchanged mean: three of the benchmark's twenty."""
    assert perclass.found(3) == 3


def test_slices_do_not_hide_a_class() -> None:
    """They are corrected for among themselves."""
    old, new, klass = perclass.planted(1)
    slices = [Slices("weather", ("dry", "rain"), np.arange(old.samples) % 2)]

    made = groups.compare("top1", new, old, slices)

    assert [(g["by"], g["name"]) for g in made["groups"] if g["fell"]] == [("class", str(klass))]


def test_chance_is_not_a_fall() -> None:
    """Two independent draws of the same model: four of the benchmark's two hundred."""
    assert perclass.false_alarms(perclass.drawn_anew, 4) == 0


def test_a_fall_of_iou_is_found() -> None:
    """Samples are resampled, not pixels."""
    metric, old, new = perclass.masks(0, fall=3)

    fell = [g["name"] for g in groups.compare(metric, new, old)["groups"] if g["fell"]]

    assert "3" in fell


def test_lower_is_better() -> None:
    """A squared error that grows is a fall."""
    labels = DRAW.normal(size=(60, 4))
    better, worse = labels + DRAW.normal(0, 0.1, labels.shape), labels + DRAW.normal(0, 0.1, labels.shape)
    slices = [Slices("half", ("a", "b"), np.arange(60) // 30)]
    worse[30:] += 0.3

    made = taskscores.measure(task("mse"), {"y": better}, {"y": worse}, labels, slices)

    assert [g["name"] for g in made["groups"] if g["fell"]] == ["b"]


def test_the_same_numbers_again() -> None:
    """A fixed seed, sums of whole numbers: equal bytes."""
    old, new, _ = perclass.planted(3)

    made = [json.dumps(groups.compare("top1", new, old)) for _ in range(2)]

    assert made[0] == made[1]


def test_a_report_keeps_what_each_sample_scored() -> None:
    """In a few bytes, and gives it back."""
    metric, old, _ = perclass.masks(1)
    del metric
    kept = samplescores.document(old)
    assert kept is not None

    back = samplescores.read(kept)

    assert all(np.array_equal(getattr(back, key), getattr(old, key)) for key in ("sample", "klass", "part", "whole"))
    assert len(json.dumps(kept)) < 8 * len(old.sample)
    ten_thousand = perclass.top1(1000, DRAW.random(10_000) < 0.8)
    assert len(json.dumps(samplescores.document(ten_thousand))) < 30_000


def test_damaged_scores_are_refused() -> None:
    """They come from a file that anybody can send."""
    kept = samplescores.document(perclass.top1(10, np.arange(50) % 3 == 0))
    assert kept is not None

    with pytest.raises(ValueError, match="do not fit"):
        samplescores.read({**kept, "entries": samplescores.pack(np.arange(50))})
    with pytest.raises(ValueError, match="numbers instead of"):
        samplescores.unpack({"dtype": "uint16", "count": 9, "data": "AAA="})
    with pytest.raises(ValueError, match="too many"):
        samplescores.unpack({"dtype": "constant", "count": 10**12, "data": "1"})


def test_a_score_that_is_no_number_has_no_parts() -> None:
    """The threshold says so; nothing is made up for classes."""
    labels = np.zeros((4, 2))
    made = taskscores.measure(task("mse"), {"y": labels}, {"y": labels * np.nan}, labels, ())

    assert made["groups"] == [] and taskscores.warnings(made) == []


def test_labels_that_fit_nothing_are_refused_as_before() -> None:
    """By the metric, which is asked first."""
    with pytest.raises(DataError):
        taskscores.measure(task("top1"), {"y": np.zeros((3, 2))}, {"y": np.zeros((3, 2))}, np.zeros(4), ())
