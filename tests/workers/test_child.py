"""Tests of a job that is asked questions: answers, deaths of every kind, and that nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.signals import interruptible
from tests.workers.scripts import interpreter
from trtbuild.base.errors import EngineError, PlaceError, TrtbuildError, WorkerDied
from trtbuild.core.job import Failure
from trtbuild.workers.child import Child, error_of, run_job
from trtbuild.workers.process import Death

ECHO = "for question in questions: answer({'said': question})\nresult()"
PATIENCE_S = 20.0  # for what must come; reached only when it does not


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Start a child whose interpreter runs these lines; whatever is started is stopped."""
    started: list[Child] = []

    def child(body: str, **more: Any) -> Child:
        python = interpreter(tmp_path / f"python{len(started)}", body)
        started.append(Child("a.job", {"depth": 2}, interpreter=python, **more))
        return started[-1]

    yield child
    for one in started:
        one.stop()


def gone(pid: int) -> bool:
    """No such process, or one that only waits to be reaped by whoever inherited it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def death(child: Child, limit_s: float = PATIENCE_S) -> Death:
    found = child.ask({}, limit_s)
    assert isinstance(found, Death)
    return found


def test_many_questions_to_one_process(start: Callable[..., Child]) -> None:
    """Answers of any size come whole, and the end is no death."""
    child = start(ECHO)
    large = {"text": "x" * 3_000_000}

    assert [child.ask({"n": n}) for n in range(3)] == [{"said": {"n": n}} for n in range(3)]
    assert child.ask(large) == {"said": large}
    assert child.finish() is None


def test_several_answers_to_one_question(start: Callable[..., Child]) -> None:
    """What is said before any question, and progress, are answers like others."""
    child = start("answer('ready')\nfor q in questions: answer(1); answer(2)")

    assert (child.answer(), child.ask({}), child.answer()) == ("ready", 1, 2)


@pytest.mark.parametrize(("name", "cause"), [("SIGSEGV", "signal"), ("SIGABRT", "signal"), ("SIGKILL", "killed")])
def test_a_signal_is_named(start: Callable[..., Child], name: str, cause: str) -> None:
    """With what was being done and the last line that was printed."""
    body = f"next(questions); stage('parsing'); print('Check failed', flush=True); os.kill(os.getpid(), signal.{name})"
    found = death(start(body))

    assert (found.cause, str(found)) == (cause, f"died of {name} while parsing: Check failed")
    assert isinstance(found.error("build"), WorkerDied)


def test_a_silent_end_has_a_status(start: Callable[..., Child]) -> None:
    """Its traceback's frames are not its last words."""
    found = death(start("next(questions)\ndef f(): raise SystemExit(3)\nprint('why', file=sys.stderr)\nf()"))

    assert (found.cause, str(found)) == ("status", "ended with status 3 and no answer: why")


def test_a_process_that_hangs_is_ended_at_the_limit(start: Callable[..., Child]) -> None:
    """Even one that has stopped, and with its children."""
    body = "c = subprocess.Popen(['sleep', '600']); answer([os.getpid(), c.pid])\nos.kill(os.getpid(), signal.SIGSTOP)"
    child = start(body)
    pids = child.answer(PATIENCE_S)
    found = death(child, 0.1)

    assert (found.cause, found.how) == ("time", "gave no answer within 0.1 s")
    assert all(gone(pid) for pid in pids)


def test_a_process_that_reads_no_questions_is_ended_at_the_limit(start: Callable[..., Child]) -> None:
    """A question larger than the kernel keeps for it does not block for ever."""
    found = start("time.sleep(600)").ask({"text": "x" * 3_000_000}, 0.1)

    assert isinstance(found, Death) and found.cause == "time"


def test_what_it_prints_is_no_answer(start: Callable[..., Child]) -> None:
    """Rubbish on stdout and a megabyte on stderr go to the log, of which the end is kept."""
    body = "print('{]'); sys.stderr.write('x' * 1_000_000 + '\\nlast'); sys.stderr.flush(); answer(next(questions))"
    child = start(body)

    assert child.ask({"n": 1}, PATIENCE_S) == {"n": 1}
    found = death(child)
    assert (found.how, found.last_line) == ("ended with status 0 and no answer", "last")
    assert len(found.log) <= 4000


def test_a_closed_stdout_ends_nothing(start: Callable[..., Child]) -> None:
    """Answers have a channel of their own."""
    assert start("os.close(1); os.close(2); answer(next(questions))").ask({"n": 1}, PATIENCE_S) == {"n": 1}


def test_an_answer_that_is_not_json_ends_the_process(start: Callable[..., Child]) -> None:
    """It is shown; half a line of a process that died is no answer either."""
    found = death(start("next(questions); os.write(channel, b'{]\\n'); time.sleep(600)"))
    assert (found.cause, found.how) == ("protocol", "said what is not JSON: {]")

    half = death(start("next(questions); os.write(channel, b'{\"a\": 1'); os.kill(os.getpid(), 11)"))
    assert half.how == "died of SIGSEGV"


def test_a_grandchild_that_holds_the_channel_hides_no_death(start: Callable[..., Child]) -> None:
    """It is ended too."""
    body = (
        "next(questions)\npid = os.fork()\n"
        "if pid == 0: time.sleep(600)\n"
        "answer(pid); os.kill(os.getpid(), signal.SIGSEGV)"
    )
    child = start(body)
    pid = child.ask({}, PATIENCE_S)
    found = child.answer(PATIENCE_S)

    assert isinstance(found, Death) and found.how == "died of SIGSEGV"
    assert gone(pid)


def test_one_that_closes_its_channel_and_lives_is_ended(
    start: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while of grace."""
    monkeypatch.setattr("trtbuild.workers.child.GRACE_S", 0.05)
    body = "answer(os.getpid()); next(questions); os.close(channel); time.sleep(600)"
    child = start(body)
    pid = child.answer(PATIENCE_S)

    assert death(child).how == "closed its end"
    assert gone(pid)


def test_what_the_job_reports_is_raised(start: Callable[..., Child]) -> None:
    """By an error of ours, whole."""
    failure = {"error": "EngineError", "what": "no", "where": "w", "hint": "h", "details": ["d"], "traceback": ""}
    child = start(f"result(ok=False, failure={failure!r})")

    with pytest.raises(EngineError, match="w: no; h") as raised:
        child.answer(PATIENCE_S)
    assert raised.value.details == ("d",)


def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    """Nor a folder."""
    body = "next(questions)\nopen(job['params']['pids'], 'w').write(str(os.getpid()))\ntime.sleep(600)"
    python, pids, scratch = interpreter(tmp_path / "python", body), tmp_path / "pids", tmp_path / "tmp"
    scratch.mkdir()
    driver = (
        "from pathlib import Path; from trtbuild.workers.child import Child\n"
        f"with Child('a.job', {{'pids': {str(pids)!r}}}, interpreter=Path({str(python)!r})) as c: c.ask({{}})"
    )
    environment = os.environ | {"TMPDIR": str(scratch)}
    argv = [sys.executable, "-c", driver]
    process = subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL, preexec_fn=interruptible)
    while not pids.exists() or not pids.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.wait()

    assert gone(int(pids.read_text())) and not list(scratch.iterdir())


def test_nothing_is_left_behind(start: Callable[..., Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder and no open descriptor, however often it is stopped."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for body in (ECHO, "os.kill(os.getpid(), 11)"):
        child = start(body)
        child.ask({}, PATIENCE_S)
        child.stop()
        child.stop()

    assert not list(tmp_path.glob("trtbuild-child-*")) and len(os.listdir("/proc/self/fd")) == before


def test_one_that_cannot_be_started_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder and descriptors are given back."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Child("a.job", {}, interpreter=tmp_path / "nothing")

    assert list(tmp_path.iterdir()) == [] and len(os.listdir("/proc/self/fd")) == before


def test_a_job_of_the_package_runs_to_its_end(tmp_path: Path) -> None:
    """Its failure is an error; an end at the limit is a death."""
    with pytest.raises(TrtbuildError, match=r"ModuleNotFoundError in base\.nothing"):
        run_job("base.nothing", {}, {}, tmp_path, where="here")
    with pytest.raises(WorkerDied, match=r"here: gave no answer within 0\.01 s"):
        run_job("base.nothing", {}, {}, tmp_path / "again", where="here", limit_s=0.01)


def test_a_job_that_found_the_disk_full_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not write why it ended."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(Child, "finish", lambda *_: Death("status", "ended with status 1 and no answer"))
    with pytest.raises(WorkerDied, match="ended with status 1"):
        run_job("base.nothing", {}, {}, tmp_path, where="here")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(PlaceError, match="no space left on the device"):
        run_job("base.nothing", {}, {}, tmp_path, where="here")


def test_another_librarys_exception_is_a_bug() -> None:
    """With the end of its traceback, and where it was."""
    error = error_of(Failure("other.ConfigError", "bad", traceback="a\nb"), "export", "build/m")

    assert (type(error), str(error), error.details) == (
        TrtbuildError, "build/m: other.ConfigError in export: bad", ("a", "b"),
    )  # fmt: skip
