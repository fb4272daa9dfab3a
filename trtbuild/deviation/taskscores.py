"""task.json of one variant: the task metric by class and slice of the source model and of what was built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trtbuild.arrays.arrayfile import Array
from trtbuild.arrays.slices import Slices
from trtbuild.core.taskgroups import fall_lines
from trtbuild.core.warning import StepWarning
from trtbuild.deviation import groups, metrics, samplescores
from trtbuild.documents.task import GroupComparison, TaskScores


def measure(
    task: Mapping[str, Any], source: Mapping[str, Array], here: Mapping[str, Array], labels: Array,
    slices: Sequence[Slices],
) -> TaskScores:  # fmt: skip
    """Raises DataError or ConfigError: as ``metrics.score`` does."""
    if not math.isfinite(metrics.score(task, here, labels)):
        nothing, data = _nothing(task, len(labels)), samplescores.digest(labels, slices)
        return {**nothing, "data": data, "slicings": [], "scores": None}
    old, new = (samplescores.count(task, outputs, labels) for outputs in (source, here))
    better = metrics.higher_is_better(task)
    return {
        **groups.compare(task["metric"], new, old, slices, higher_is_better=better),
        "data": samplescores.digest(labels, slices),
        "slicings": [samplescores.slicing(one) for one in slices],
        "scores": samplescores.document(new),
    }


def _nothing(task: Mapping[str, Any], samples: int) -> GroupComparison:
    """Without a number for all samples there is none for parts of them."""
    return {
        "metric": task["metric"], "higher_is_better": metrics.higher_is_better(task), "samples": samples,
        "resamples": 0, "told": 0, "groups": [],
    }  # fmt: skip


def warnings(scores: TaskScores) -> list[StepWarning]:
    """One that names the classes and slices that fell against the source model."""
    hint = "see the task page; model.validation.task.max_class_drop makes it a threshold"
    return [StepWarning(line, "model.validation.task", hint) for line in fall_lines(scores)]
