"""Tests of which calibration a sweep says is best."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sweeps import entry, rendered
from trtbuild.core.verdict import task_check
from trtbuild.reports.sweep import collect
from trtbuild.reports.sweepcalibrations import MOST, lines


def calibrated(name: str, score: float | None, rmse: float = 0.1, *, metric: str = "mean_iou") -> dict[str, Any]:
    """A variant with this calibration, its error, and the score where the source model has 0.9."""
    made = entry(calibration=name)
    for output in made["report"]["outputs"].values():
        output["hops"]["total"]["rmse"] = rmse
    if score is not None:
        check = task_check(metric, 0.9, score, 0.5, higher_is_better=metric != "mse")
        made["report"]["verdict"]["checks"][f"task: {metric} drop"] = check
    return made


@pytest.mark.parametrize(
    ("metric", "scores", "best"),
    [("mean_iou", (0.7, 0.8), "entropy"), ("mse", (0.7, 0.8), "minmax")],
)
def test_the_task_metric_decides(metric: str, scores: tuple[float, float], best: str) -> None:
    """Whether higher or lower is better, and whatever the error of the outputs."""
    first = calibrated("minmax", scores[0], 0.01, metric=metric)
    (ranking,) = collect([first, calibrated("entropy", scores[1], 0.2, metric=metric)])["calibrations"]

    assert (ranking["model"], ranking["label"], ranking["metric"]) == ("segnet", "int8", metric)
    assert ranking["rows"][0]["calibration"] == best
    assert ranking["why"].startswith(f"the best {metric}: ")


@pytest.mark.parametrize(("score", "says"), [(0.8, "the same mean_iou"), (None, "no task metric is judged")])
def test_equal_or_missing_scores_leave_it_to_the_error(score: float | None, says: str) -> None:
    """The error of the worst output, as a share of the output."""
    (ranking,) = collect([calibrated("minmax", score, 0.2), calibrated("mse", score, 0.1)])["calibrations"]

    assert [row["calibration"] for row in ranking["rows"]] == ["mse", "minmax"]
    assert says in ranking["why"] and "smallest RMS error of the worst output: " in ranking["why"]


@pytest.mark.parametrize("score", [0.8, None])
def test_nothing_is_called_smallest_where_nothing_differs(score: float | None) -> None:
    """As where the calibration that compares others took one of them."""
    best = calibrated("best", score)
    facts = {"algorithm": "best", "samples": 8, "chosen": "minmax", "sha256": "0"}
    best["report"]["precision"]["calibration"] = facts
    found = collect([best, calibrated("minmax", score)])["calibrations"]

    (line,) = lines(found)
    assert line.startswith("best calibration of segnet int8: best (minmax), as good as minmax: the same ")
    assert len(lines(found * 20)) == MOST + 1


def test_one_calibration_is_no_comparison() -> None:
    """Nor are two variants that differ in more, or one that was not built."""
    failed = {**entry("failed", "broken", calibration="mse")}

    assert collect([entry(), failed, entry(calibration="mse", tensorrt="rtx-1.6")])["calibrations"] == []


def test_the_pages_say_which_is_best() -> None:
    """In the page and in the summary for a merge request."""
    files = rendered([calibrated("minmax", 0.7), calibrated("mse", 0.8)])

    assert "segnet int8: mse" in files["sweep.html"] and "Best calibration" in files["sweep.html"]
    assert "- segnet int8: **mse**, the best mean\\_iou" in files["sweep.md"].replace("mean_iou", "mean\\_iou")
