"""Tests of measured latency in real builds: limits judged, nothing measured twice, a regression found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.graphs import graph

pytestmark = pytest.mark.slow
QUICK = ("model=tiny", "latency=default", "latency.warmup_s=0.1", "latency.batch=8", "latency.threads=1")


def verdict(workspace: Path) -> dict[str, Any]:
    newest = max(workspace.glob("build/tiny/validate-*/verdict.json"), key=lambda path: path.stat().st_mtime_ns)
    found: dict[str, Any] = json.loads(newest.read_text("utf-8"))
    return found


def measurements(workspace: Path) -> int:
    return len(list(workspace.glob("build/tiny/latency-*/dvc.lock")))


def test_a_limit_is_judged_and_measured_once(workspace: Path, trtbuild) -> None:
    """Exit 0 within it, 1 beyond it, from one measurement; and then there is nothing to do."""
    words = (*QUICK, "latency.seconds=3")
    said = trtbuild(*words, "+model.validation.latency.p99_ms=5000", check=0).stderr
    assert "ran    tiny/latency-fp32" in said
    assert "latency: p99_ms" in {**verdict(workspace)["checks"], **verdict(workspace)["not_judged"]}

    said = trtbuild(*words, "+model.validation.latency.p99_ms=0.0001", check=1).stderr
    assert "ran    tiny/latency" not in said
    assert not verdict(workspace)["checks"]["latency: p99_ms"]["passed"]
    assert measurements(workspace) == 1
    assert "nothing to do" in trtbuild(*words, "+model.validation.latency.p99_ms=5000", check=0).stderr


def test_a_slower_build_is_a_regression(workspace: Path, trtbuild) -> None:
    """A baseline that does next to nothing: exit 1, with the interval's upper end."""
    import onnx

    fast = graph("float[n,3,16,16] image => int64[4] y { y = Shape(image) }")
    onnx.save(fast, workspace / "models" / "tiny" / "fast.onnx")
    words = (*QUICK, "latency.seconds=2", "latency.baseline=models/tiny/fast.onnx")
    trtbuild(*words, "+model.validation.latency.max_regression=0.1", check=1)
    check = verdict(workspace)["checks"]["latency: max_regression"]

    assert not check["passed"]
    assert 0.1 < check["observed"] <= check["upper"]


def test_a_baseline_that_is_not_there_is_one_line(workspace: Path, trtbuild) -> None:
    """And it comes before the minutes of a build."""
    words = (*QUICK, "latency.baseline=models/none.onnx", "+model.validation.latency.max_regression=0.1")
    said = trtbuild(*words, check=2).stderr

    assert "models/none.onnx: no such file or folder" in said


def test_off_judges_nothing_and_says_so(workspace: Path, trtbuild) -> None:
    """The limit stays on the page as not judged."""
    trtbuild("model=tiny", "latency=off", "+model.validation.latency.p99_ms=5", check=0)

    assert verdict(workspace)["not_judged"]["latency: p99_ms"]["why"] == "latency is not measured (latency=off)"
    assert measurements(workspace) == 0


def test_rerun_and_repro_measure_in_place(workspace: Path, trtbuild) -> None:
    """By hand and through DVC's own command the same step runs from its folder alone."""
    trtbuild(*QUICK, "latency.seconds=0.5", "+model.validation.latency.p99_ms=5000", check=0)
    folder = next(workspace.glob("build/tiny/latency-*"))
    shutil.rmtree(workspace / ".trtbuild" / "rerun", ignore_errors=True)
    said = trtbuild("rerun", str(folder.relative_to(workspace))).stderr

    assert "DIFFERS      samples.json" in said  # it is measured: no two are alike
    assert json.loads((workspace / ".trtbuild" / "rerun" / folder.name / "latency.json").read_text())["sides"]
