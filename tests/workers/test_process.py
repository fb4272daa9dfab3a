"""Tests of one process: its death in words, its environment, and descriptors of large programs."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from trtbuild.workers.process import LOG_BYTES, Death, inherited, log_end, readable


@pytest.mark.parametrize(
    ("returncode", "cause", "said"),
    [
        (-signal.SIGSEGV, "signal", "died of SIGSEGV while parsing: last"),
        (-signal.SIGKILL, "killed", "died of SIGKILL while parsing: last"),
        (-40, "signal", "died of signal 40 while parsing: last"),
        (3, "status", "ended with status 3 and no answer while parsing: last"),
    ],
)
def test_a_death_in_words(tmp_path: Path, returncode: int, cause: str, said: str) -> None:
    """How, during what, and the last line that is not a frame of a stack."""
    (tmp_path / "stage").write_text("parsing", "utf-8")
    (tmp_path / "log.txt").write_text("first\nlast\n  at a frame\n\n", "utf-8")
    death = Death.of(returncode, tmp_path)

    assert (death.cause, str(death)) == (cause, said)
    assert str(death.error("here")).startswith(f"here: {said}; ")


def test_a_death_without_traces_is_one_too(tmp_path: Path) -> None:
    """Neither a stage nor a log; only SIGKILL suggests that memory ended."""
    assert str(Death.of(-signal.SIGABRT, tmp_path / "nowhere")) == "died of SIGABRT"
    assert "out of memory?" in str(Death.of(-signal.SIGKILL, tmp_path).error("here"))


def test_the_end_of_a_large_log_is_read(tmp_path: Path) -> None:
    """However long it is, and whatever its bytes are."""
    (tmp_path / "log.txt").write_bytes(b"\xff" * 10 * LOG_BYTES + b"\nend")
    read = log_end(tmp_path / "log.txt")

    assert read.endswith("end") and len(read) == LOG_BYTES


def test_descriptors_beyond_the_limit_of_select() -> None:
    """A training process may have thousands of them open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    read, write = os.pipe()
    try:
        os.dup2(read, 2000)
        assert readable([2000], 0.0) == []
        os.write(write, b"x")
        assert readable([2000], 1e12) == [2000]
    finally:
        for descriptor in (read, write, 2000):
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_worker_inherits_what_does_not_lead_its_python_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is given on purpose."""
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("OF_THE_USER", "kept")

    assert "PYTHONPATH" not in inherited() and inherited()["OF_THE_USER"] == "kept"
    assert inherited(PYTHONPATH="chosen")["PYTHONPATH"] == "chosen"


def test_a_worker_sends_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime reads this as it is imported."""
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")

    assert inherited()["ORT_DISABLE_TELEMETRY"] == "1"
