"""Tests of work in a child process: its errors come back, its crash is one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from trtbuild.base.errors import SourceError, WorkerDied
from trtbuild.workers.child import in_child


def test_the_child_leaves_files_and_no_memory(tmp_path: Path) -> None:
    """What it sets is its own."""
    state = {"here": True}

    def work() -> None:
        state["here"] = False
        (tmp_path / "made").write_text("yes", "utf-8")

    in_child(work, "working")

    assert (tmp_path / "made").read_text("utf-8") == "yes"
    assert state["here"]


def test_an_error_of_ours_comes_back_whole() -> None:
    """Class, place, hint and details."""

    def work() -> None:
        raise SourceError("bad", where="there", hint="mend it", details=("more",))

    with pytest.raises(SourceError, match="there: bad; mend it") as raised:
        in_child(work, "working")
    assert raised.value.details == ("more",)


def test_a_crash_is_told_with_what_it_was_about() -> None:
    """The signal's number, not a hang."""
    with pytest.raises(WorkerDied, match="died of signal 9 while working"):
        in_child(lambda: os.kill(os.getpid(), signal.SIGKILL), "working")


def test_any_other_exception_is_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """Its traceback is in the log."""
    with pytest.raises(WorkerDied, match="failed while working"):
        in_child(lambda: 1 // 0, "working")
    assert "ZeroDivisionError" in capfd.readouterr().err
