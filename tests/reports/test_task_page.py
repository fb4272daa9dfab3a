"""Tests of the task page, the summary of classes and slices, and their comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks import perclass
from tests.support.pages import page
from tests.support.sweeps import entry
from trtbuild.arrays.slices import Slices
from trtbuild.base.packaged import templates
from trtbuild.core.taskgroups import class_drop_check, fall_lines
from trtbuild.deviation import groups, samplescores
from trtbuild.documents.report import Report
from trtbuild.documents.task import TaskScores
from trtbuild.pipeline.upgradedocument import Pair, upgrade_document
from trtbuild.reports import task
from trtbuild.reports.changes import changes
from trtbuild.reports.compare import compare
from trtbuild.reports.comparegroups import compare_groups, rows
from trtbuild.reports.upgrade import render_all

SLICES = [Slices("weather", ("dry", "rain"), np.arange(2000) % 2)]


def scores(new: Any, old: Any) -> TaskScores:
    """task.json of one side, against another."""
    kept, named = samplescores.document(new), [samplescores.slicing(one) for one in SLICES]
    return {**groups.compare("top1", new, old, SLICES), "data": "a", "slicings": named, "scores": kept}


OLD, NEW, FELL = perclass.planted(1)
FALLEN, SAME = scores(NEW, OLD), scores(OLD, OLD)


def report(found: TaskScores) -> Report:
    return cast("Report", {**page(), "task": found})


def test_a_fall_leads_its_table_and_is_named() -> None:
    """On the page, in the summary and in the warning."""
    classes, weather = task.sections(FALLEN)

    assert classes["rows"][0]["name"] == str(FELL) and classes["rows"][0]["fell"]
    assert weather["title"] == "Slices by weather"
    assert f"class {FELL} 0." in fall_lines(FALLEN)[0]
    assert any(line.startswith(f"| class {FELL} |") and "**fell**" in line for line in task.task_lines(FALLEN))
    assert task.finding(FALLEN).endswith(f": class {FELL}.")
    assert task.charts(FALLEN)[0]["data"][-1]["name"] == "fell"


def test_nothing_fell() -> None:
    """That is said, too."""
    assert task.finding(SAME) == "None of 12 classes and slices fell in top1 against the source model."
    assert fall_lines(SAME) == []


def test_the_threshold_judges_what_is_certain() -> None:
    """The end of the interval that is nearest to no change."""
    (worst,) = [g for g in FALLEN["groups"] if g["fell"]]

    check = class_drop_check(FALLEN, 0.001)

    assert check["observed"] == -worst["change"]["high"] and not check["passed"]
    assert check["says"].startswith(f"class {FELL} ")
    assert class_drop_check(FALLEN, 0.05)["passed"]
    assert class_drop_check(SAME, 0.0)["passed"]


def test_two_reports_are_compared_sample_by_sample() -> None:
    """A class that fell between two builds is a line of what changed, and of the table."""
    found = compare(report(FALLEN), report(SAME))

    assert any(f"top1 fell: class {FELL} " in said for said in changes(found))
    assert rows(found["groups"], 0)[0][3].endswith(" fell")
    assert not any("fell" in said for said in changes(compare(report(FALLEN), report(FALLEN))))


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (None, "the old side has no scores by class"),
        ({**SAME, "data": "b"}, "labels, slices or samples differ"),
        ({**SAME, "metric": "mse"}, "mse on the old side, top1 on the new one"),
        ({**SAME, "scores": None}, "there are too many samples to keep what each scored"),
        ({**SAME, "scores": {**SAME["scores"], "parts": samplescores.pack(np.ones(3))}}, "a report is damaged: "),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_says_so(old: Any, why: str) -> None:
    """Nothing is taken for equal."""
    assert compare_groups(FALLEN, old)["why"].startswith(why)


def test_reports_without_a_task_have_nothing_to_say() -> None:
    """Neither has one."""
    assert compare_groups(None, None) == {"why": "", "compared": None}


def test_an_upgrade_names_the_class_that_fell() -> None:
    """It is within its thresholds, so it is go; the fall is among its changes."""
    sides = [entry(tensorrt=version) for version in ("rtx-1.6", "rtx-1.7")]
    for side, found in zip(sides, (SAME, FALLEN), strict=True):
        cast("Any", side["report"])["task"] = found

    document = upgrade_document("rtx-1.6", "rtx-1.7", [Pair(*sides)])

    (variant,) = document["models"][0]["variants"]
    assert variant["decision"] == "go"
    assert any(said.startswith(f"top1 fell: class {FELL} ") for said in variant["changes"])
    assert f"top1 fell: class {FELL} " in render_all(document, templates(Path("/")))["upgrade.md"]
