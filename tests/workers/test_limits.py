"""Tests of limits of running steps: real processes, and a worker of a few lines in place of a step."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fakes import step
from tests.support.processes import PATIENCE_S, gone
from trtbuild.base.errors import WorkerDied
from trtbuild.building import sandbox
from trtbuild.core import memory
from trtbuild.workers import hermetic, limits
from trtbuild.workers.executors import Completion
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.limits import Limits

WORKER = """
import json, os, subprocess, sys, time
sandbox = sys.argv[1]
job = json.load(open(sandbox + "/job.json"))
open(sandbox + "/stage", "w").write("calling data:endless")
open(sandbox + "/pid", "w").write(str(os.getpid()))
if "child" in job:
    subprocess.Popen([sys.executable, "-c", "import time; x = bytearray(%d); time.sleep(600)" % job["child"]])
for _ in range(job.get("lines", 0)):
    print("x" * 99)
print("last", flush=True)
time.sleep(600)
"""


def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: Limits, **job: object) -> Completion:
    """How such a step ends."""
    worker, folder = tmp_path / "worker.py", tmp_path / "sandbox"
    worker.write_text(WORKER, "utf-8")
    monkeypatch.setattr(hermetic, "WORKER", worker)
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(job), "utf-8")
    executor = LocalExecutor(1, 1, held)
    executor.start(step("a"), folder, lambda _: Path(sys.executable))
    try:
        done = executor.wait(PATIENCE_S)
    finally:
        executor.stop()
    assert done is not None and gone(int((folder / "pid").read_text("ascii")))
    return done


def test_a_step_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it was about, and the key that allows more."""
    done = ended(tmp_path, monkeypatch, Limits(time_s=0.5))
    with pytest.raises(WorkerDied) as caught:
        sandbox.check(done.step, done)

    assert caught.value.what == "ran for over 0.5 s, its executor.time_limit while calling data:endless"


def test_the_memory_of_all_its_processes_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a child counts."""
    done = ended(tmp_path, monkeypatch, Limits(memory_bytes=150_000_000), child=200_000_000)

    assert "over its executor.memory_limit of 0.15 GB" in done.exceeded


def test_a_log_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is written to it, and while it is."""
    monkeypatch.setattr(limits, "LOG_BYTES", 100_000)
    monkeypatch.setattr(limits, "_KEPT_BYTES", 1_000)
    ended(tmp_path, monkeypatch, Limits(time_s=1.5), lines=5_000)
    text = (tmp_path / "sandbox" / "log.txt").read_text("utf-8")

    assert len(text) < 2_000 and text.startswith("[499") and text.endswith("x\nlast\n")


def test_limits_follow_the_estimate() -> None:
    """Where the config has none."""
    large = replace(step("a"), memory_bytes=18 * 10**9)

    assert memory.time_limit_s(step("a")) == 7200 and memory.time_limit_s(large) == 19 * 7200
    assert memory.memory_limit_bytes(large) == 76 * 10**9
    assert not Limits().exceeded(step("a"), os.getpid(), 1e18)


def test_a_step_that_has_no_process_yet_takes_no_memory() -> None:
    """A fork has to wait for the imports of what forks it: 0 is nobody's number, and every process's ancestor."""
    assert not Limits(memory_bytes=1).exceeded(step("a"), 0, time.monotonic())
    assert Limits(memory_bytes=1).exceeded(step("a"), os.getpid(), time.monotonic())
