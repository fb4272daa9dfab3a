"""Tests of the validate step: what it reads of a compiled engine, and the task by class and slice."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks import perclass
from trtbuild.arrays import outputs
from trtbuild.core.job import Job
from trtbuild.core.spec.validation import Task
from trtbuild.documents import reading
from trtbuild.documents.task import TaskScores
from trtbuild.steps import validate


def test_an_engine_whose_layers_nobody_understood_is_none(tmp_path: Path) -> None:
    """So that its limits are not judged; neither is one that is not there."""
    unread = [{"line": 0, "text": "", "why": "there is no section 'Layers:' in this log"}]
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": [], "Unread": unread}), "utf-8")
    job = Job("validate", {}, {"engine_layers": str(tmp_path / "layers.json")}, str(tmp_path), str(tmp_path))

    assert [validate._engine(job, name) for name in ("engine_layers", "compared_layers")] == [None, None]


def test_classes_and_slices_are_scored_on_the_same_samples(tmp_path: Path) -> None:
    """A class that falls is a warning, a failed threshold, and in task.json; slices come from their file."""
    old, new, klass = perclass.planted(1)
    labels = old.klass
    wrong = (labels + 1) % perclass.CLASSES
    for side, scores in (("reference", old), ("lowered", new)):
        said = np.where(scores.part, labels, wrong)
        outputs.record(tmp_path / f"{side}.npz", iter([outputs.Call({"y": np.eye(10)[said]}, len(said))]))
    np.savez(tmp_path / "data.npz", x=np.zeros((len(labels), 1), np.float32), label=labels)
    np.savez(tmp_path / "slices.npz", half=np.arange(len(labels)) % 2)
    params = {
        "task": asdict(Task("top1", "label", 0.01, max_class_drop=0.001)), "data": "data.npz",
        "inputs": {"x": {"dtype": "float32", "shape": [None, 1], "profile": None, "range": [0, 1]}},
    }  # fmt: skip
    inputs = {name: str(tmp_path / f"{name}.npz") for name in ("reference", "lowered", "data", "slices")}

    checks, warnings = validate._judge_task(Job("validate", params, inputs, str(tmp_path), str(tmp_path)))

    assert checks["task: top1 drop"]["passed"] and not checks["task: top1 drop of worst class"]["passed"]
    assert warnings[-1]["what"].startswith(f"top1 fell: class {klass} ")
    document = reading.read(tmp_path / "task.json", TaskScores)
    assert {group["by"] for group in document["groups"]} == {"all", "class", "half"}
    assert document["groups"][0]["new"]["value"] == checks["task: top1 drop"]["score"]
