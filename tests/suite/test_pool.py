"""Tests of the pooled workers, with a script in a worker's place: crashes and time limits lose nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workers.scripts import interpreter
from trtbuild.base.errors import PlaceError
from trtbuild.suite import pool
from trtbuild.suite.pool import Worker
from trtbuild.suite.results import _of_the_machine

SCRIPT = """
say = lambda **told: answer(told)
say(stage="ready")
for question in questions:
    name = question["id"]
    if name == "dies-at-once":
        os.kill(os.getpid(), signal.SIGSEGV)
    say(stage="exports", result="yes")
    if name == "dies-later":
        print("Check failed: it is broken", flush=True)
        os.kill(os.getpid(), signal.SIGABRT)
    if name == "hangs":
        time.sleep(60)
    say(stage="matches", result="yes")
    say(stage="end")
"""
GOOD = {"exports": {"result": "yes"}, "matches": {"result": "yes"}}


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(None, tmp_path / "graphs", interpreter(tmp_path / "python", SCRIPT))


def test_a_crash_is_the_result_of_its_stage(worker: Worker) -> None:
    """What was told before it stays, and the next case is examined by a new process."""
    with worker:
        later, at_once, good = (worker.examine(name, 20) for name in ("dies-later", "dies-at-once", "good"))

    assert later["exports"] == {"result": "yes"}
    assert later["matches"]["result"] == "crash"
    assert "SIGABRT: Check failed: it is broken" in later["matches"]["says"]
    assert at_once["exports"]["result"] == "crash" and "SIGSEGV" in at_once["exports"]["says"]
    assert good == GOOD


def test_a_case_that_hangs_is_ended(worker: Worker) -> None:
    """After the time limit of a stage."""
    with worker:
        hung = worker.examine("hangs", 0.3)

        assert hung["matches"] == {"result": "timeout", "says": "the process gave no answer within 0.3 s"}
        assert worker.examine("good", 20) == GOOD


def test_many_cases_over_several_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case is told of, whatever happened to the others."""
    python = interpreter(tmp_path / "python", SCRIPT)
    monkeypatch.setattr(pool, "Worker", lambda root, graphs: Worker(root, graphs, python))
    found: dict[str, Any] = {}
    names = ["good", "dies-at-once", "dies-later", *(f"good{i}" for i in range(6))]
    pool.examine_all(names, None, tmp_path / "graphs", workers=2, limit_s=20, done=found.__setitem__)

    assert set(found) == set(names)
    assert sum(answers == GOOD for answers in found.values()) == 7


def test_a_worker_that_cannot_start_is_an_error_of_the_place(tmp_path: Path) -> None:
    """With its last words."""
    python = interpreter(tmp_path / "python", "raise SystemExit('no TensorFlow')")

    with pytest.raises(PlaceError, match="no TensorFlow"), Worker(None, tmp_path / "graphs", python) as worker:
        worker.examine("good", 20)


def test_what_the_machine_did_is_no_answer_to_keep() -> None:
    """A worker that was killed for want of memory would be a regression for ever."""
    killed = {"result": "crash", "says": "the process died of SIGKILL"}
    parser = {"result": "crash", "says": "the process died of SIGSEGV"}

    assert [_of_the_machine(stage) for stage in (killed, {"result": "timeout"}, parser)] == [True, True, False]
