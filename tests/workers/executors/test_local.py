"""Tests of steps as child processes: real processes, and a worker of a few lines in place of a step."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import trtbuild
from tests.support.fakes import step
from tests.support.processes import PATIENCE_S, gone, until
from trtbuild.core.job import Job, write_job
from trtbuild.core.step import Step
from trtbuild.workers import hermetic
from trtbuild.workers.executors import Completion
from trtbuild.workers.executors.local import LocalExecutor

# Says what it sees, starts a child of its own where asked to, and ends as its job says.
WORKER = """
import json, os, signal, subprocess, sys, time
sandbox = sys.argv[1]
job = json.load(open(os.path.join(sandbox, "job.json")))
print("to stdout"); print("to stderr", file=sys.stderr, flush=True)
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleeper, start_new_session=job["child"] == "away") if job.get("child") else None
seen = {"pid": os.getpid(), "child": child and child.pid, "cwd": os.getcwd(), "argv": sys.argv}
seen["environment"] = dict(os.environ)
with open(os.path.join(sandbox, "seen.part"), "w") as handle: json.dump(seen, handle)
os.replace(os.path.join(sandbox, "seen.part"), os.path.join(sandbox, "seen.json"))
time.sleep(job.get("sleep", 0))
if job.get("signal"): os.kill(os.getpid(), job["signal"])
sys.exit(job.get("status", 0))
"""


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """An executor of two slots whose worker is the script above; nothing survives the test."""
    script = tmp_path / "lib" / "trtbuild" / "workers" / "run.py"
    script.parent.mkdir(parents=True)
    script.write_text(WORKER, "utf-8")
    monkeypatch.setattr(hermetic, "WORKER", script)
    made = LocalExecutor(2, 10**12)
    yield made
    made.stop()


def sandbox(folder: Path, name: str = "sandbox", **job: object) -> Path:
    made = folder / name
    made.mkdir()
    (made / "job.json").write_text(json.dumps(job), "utf-8")
    return made


def seen(folder: Path) -> dict[str, object]:
    assert until((folder / "seen.json").exists)
    found: dict[str, object] = json.loads((folder / "seen.json").read_text("utf-8"))
    return found


def python(step: Step) -> Path:
    return Path(sys.executable)


def start(executor: LocalExecutor, folder: Path, environment: str = "main") -> None:
    executor.start(replace(step("a"), environment=environment), folder, python)


def finish(executor: LocalExecutor) -> Completion:
    ended = executor.wait(PATIENCE_S)
    assert ended is not None
    return ended


@pytest.mark.parametrize(("job", "code"), [({}, 0), ({"status": 3}, 3), ({"signal": signal.SIGSEGV}, -signal.SIGSEGV)])
def test_how_a_process_ended(executor: LocalExecutor, tmp_path: Path, job: dict[str, object], code: int) -> None:
    """Its status, or the signal that killed it."""
    folder = sandbox(tmp_path, **job)
    start(executor, folder)
    ended = finish(executor)

    assert (ended.step.kind, ended.sandbox, ended.returncode) == ("a", folder, code)


def test_all_it_says_is_in_the_log(executor: LocalExecutor, tmp_path: Path) -> None:
    """Both streams, in the order of writing."""
    folder = sandbox(tmp_path)
    start(executor, folder)
    finish(executor)

    assert set((folder / "log.txt").read_text("utf-8").split("\n")) == {"to stdout", "to stderr", ""}


def test_slots(executor: LocalExecutor, tmp_path: Path) -> None:
    """Two at once, a third when one has ended."""
    for name in ("one", "two"):
        assert executor.free(step("a"))
        start(executor, sandbox(tmp_path, name))
    assert not executor.free(step("a"))
    finish(executor)

    assert executor.free(step("a"))


def test_a_step_that_measures_is_alone(executor: LocalExecutor, tmp_path: Path) -> None:
    """It waits for an empty machine, and nothing starts beside it."""
    exclusive = replace(step("a"), slot="exclusive")
    assert executor.free(exclusive)
    start(executor, sandbox(tmp_path, "one"))
    assert not executor.free(exclusive)
    finish(executor)
    executor.start(exclusive, sandbox(tmp_path, "two"), python)

    assert not executor.free(step("a"))


def test_waiting_has_an_end(executor: LocalExecutor, tmp_path: Path) -> None:
    """Nothing ended in time, or nothing runs at all."""
    assert executor.wait(None) is None
    start(executor, sandbox(tmp_path, sleep=600))

    assert executor.wait(0.0) is None


@pytest.mark.parametrize("child", [True, "away"])
def test_stopping_kills_whole_groups(
    executor: LocalExecutor, tmp_path: Path, child: object
) -> None:
    """A child that the worker started goes with it, also one in a session of its own."""
    folder = sandbox(tmp_path, sleep=600, child=child)
    start(executor, folder)
    about = seen(folder)
    executor.stop()

    assert gone(about["pid"])
    assert until(lambda: gone(about["child"]))
    assert executor.free(step("a"))


@pytest.mark.parametrize("child", [True, "away"])
def test_what_a_worker_leaves_running_is_killed(
    executor: LocalExecutor, tmp_path: Path, child: object
) -> None:
    """A child that outlives its worker does not outlive the step."""
    folder = sandbox(tmp_path, child=child)
    start(executor, folder)
    finish(executor)

    assert until(lambda: gone(seen(folder)["child"]))


def test_the_main_environment_hides_foreign_packages(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHONPATH of the user's shell does not reach a step; hash order is fixed."""
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("OF_THE_USER", "kept")
    folder = sandbox(tmp_path)
    start(executor, folder)
    finish(executor)
    environment = seen(folder)["environment"]

    assert isinstance(environment, dict)
    assert ("PYTHONPATH" in environment, environment["PYTHONHASHSEED"], environment["OF_THE_USER"]) == (
        False,
        "0",
        "kept",
    )


def test_a_toolchain_process_sees_the_same_everywhere(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fixed environment, and paths whose length does not hang on where the workspace lies."""
    monkeypatch.setenv("OF_THE_USER", "not passed on")
    folders = [sandbox(tmp_path, "x"), sandbox(tmp_path, "a_much_longer_name")]
    abouts = []
    for folder in folders:
        start(executor, folder, "toolchain")
        finish(executor)
        abouts.append(seen(folder))
    environments = [about["environment"] for about in abouts]
    lengths = [[len(word) for word in about["argv"]] for about in abouts]  # type: ignore[attr-defined]

    assert environments[0] == environments[1]
    assert "OF_THE_USER" not in str(environments[0])
    assert lengths[0][:2] == lengths[1][:2]
    assert len(str(abouts[0]["cwd"])) == len(str(abouts[1]["cwd"]))


def test_an_executed_engine_runs_in_the_toolchain_as_it_is(executor: LocalExecutor, tmp_path: Path) -> None:
    """Neither a fixed environment nor slower memory: it is timed, and a driver may need what the user has set."""
    folder = sandbox(tmp_path)
    start(executor, folder, "runtime")
    finish(executor)
    environment = seen(folder)["environment"]

    assert isinstance(environment, dict)
    assert "GLIBC_TUNABLES" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_links_of_a_toolchain_process_go_with_it(executor: LocalExecutor, tmp_path: Path) -> None:
    """Nothing is left in the temporary folder."""
    folder = sandbox(tmp_path)
    start(executor, folder, "toolchain")
    (running,) = executor._running.values()
    assert running.alias is not None
    finish(executor)

    assert not running.alias.folder.exists()


def test_two_workspaces_may_build_the_same_step(executor: LocalExecutor, tmp_path: Path) -> None:
    """Each process keeps the links to its own sandbox."""
    first, second = sandbox(tmp_path, "first", sleep=600), sandbox(tmp_path, "second", sleep=600)
    start(executor, first, "toolchain")
    (running,) = executor._running.values()
    assert running.alias is not None
    start(executor, second, "toolchain")

    assert (running.alias.folder / "job").resolve() == first.resolve()


DRIVER = """
import sys
from pathlib import Path
from trtbuild.core.step import Step
from trtbuild.workers.executors.local import LocalExecutor
executor = LocalExecutor(1)
executor.start(Step("orphan", 1, "m", "", {}, {}, ()), Path(sys.argv[1]), lambda step: Path(sys.executable))
executor.wait(None)
"""
ORPHAN = """
def run(job):
    import os, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    job.write_json("pids.part", [os.getpid(), child.pid])
    os.replace(job.output("pids.part"), job.output("pids"))
    time.sleep(600)
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a step without end, by a copy of the package that knows such a step."""
    package = tmp_path / "lib" / "trtbuild"
    shutil.copytree(trtbuild.__path__[0], package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "steps" / "orphan.py").write_text(ORPHAN, "utf-8")
    (tmp_path / "sandbox" / "out").mkdir(parents=True)
    write_job(tmp_path / "sandbox", Job("orphan", {}, {}, "out", "."))
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    argv = [sys.executable, "-c", DRIVER, str(tmp_path / "sandbox")]
    with subprocess.Popen(argv, cwd=tmp_path, env=environment) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_driver_leaves_no_orphan(
    driver: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    """The kernel ends the worker and its children when the driver is gone, however it went."""
    pids = tmp_path / "sandbox" / "out" / "pids"
    assert until(pids.exists)
    worker, child = json.loads(pids.read_text("utf-8"))
    assert not gone(worker)
    driver.send_signal(number)
    driver.wait()

    assert until(lambda: gone(worker) and gone(child))
