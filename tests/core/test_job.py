"""Tests of the protocol between driver and worker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbuild.core.job import Failure, Job, Result, read_job, read_result, write_job, write_result


def test_a_job_comes_back_with_paths_in_its_sandbox(tmp_path: Path) -> None:
    """Paths are written relative, and read as the sandbox's own."""
    write_job(tmp_path, Job("a", {"depth": 2}, {"model": "in/model.onnx"}, "out", "in/workspace"))
    job = read_job(tmp_path)

    assert (job.kind, job.params) == ("a", {"depth": 2})
    assert job.input("model") == tmp_path / "in" / "model.onnx"
    assert job.output("y.bin") == tmp_path / "out" / "y.bin"
    assert Path(job.workspace) == tmp_path / "in" / "workspace"


def test_a_written_job_has_no_absolute_path(tmp_path: Path) -> None:
    """A sandbox can be moved, and its job says nothing about the machine."""
    write_job(tmp_path, Job("a", {}, {"model": "in/model.onnx"}, "out", "in/workspace"))

    assert str(tmp_path) not in (tmp_path / "job.json").read_text("utf-8")


def test_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    """JSON outputs have sorted keys."""
    job = Job("a", {}, {"x": str(tmp_path / "x.json")}, str(tmp_path), "")
    for name, value in (("x.json", {"b": 1, "a": [0.5]}), ("y.json", {"a": [0.5], "b": 1})):
        job.write_json(name, value)

    assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()
    assert job.read_json("x") == {"a": [0.5], "b": 1}


def test_nan_is_no_json(tmp_path: Path) -> None:
    """Other readers of our files would refuse it."""
    with pytest.raises(ValueError, match="Out of range"):
        Job("a", {}, {}, str(tmp_path), "").write_json("x.json", float("nan"))


def test_a_stage_is_said_beside_the_outputs(tmp_path: Path) -> None:
    """What a worker was about to do survives its death, and is no output."""
    Job("a", {}, {}, str(tmp_path / "out"), "").stage("parsing")

    assert (tmp_path / "stage").read_text("utf-8") == "parsing"


@pytest.mark.parametrize(
    "result",
    [
        Result(True, facts={"seconds": 1.5}),
        Result(False, Failure("EngineError", "no", "engine", "try", ("node a", "node b"), "Traceback…")),
    ],
)
def test_a_result_comes_back_whole(tmp_path: Path, result: Result) -> None:
    """Success and failure, with every detail."""
    write_result(tmp_path, result)

    assert read_result(tmp_path) == result


@pytest.mark.parametrize(
    "text",
    ["", '{"ok": tr', '{"ok": true}', "[]", "null", json.dumps({"ok": False, "failure": {"what": 1}, "facts": {}})],
)
def test_half_an_answer_is_none(tmp_path: Path, text: str) -> None:
    """A worker that died while answering has not answered."""
    (tmp_path / "result.json").write_text(text, "utf-8")

    assert read_result(tmp_path) is None


def test_no_answer_is_none(tmp_path: Path) -> None:
    """A worker that died before it answered leaves no file."""
    assert read_result(tmp_path) is None
