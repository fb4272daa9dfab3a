"""Tests of forked jobs: a real zygote that imports next to nothing in place of TensorFlow; steps of a few lines."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import trtbuild
from tests.support.fakes import step
from tests.support.processes import PATIENCE_S, gone, until
from trtbuild.core.job import Job, write_job
from trtbuild.workers import forks, hermetic
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.forks import Fork, Zygote, start
from trtbuild.workers.limits import memory_of
from trtbuild.workers.process import Process, inherited

STEPS = {
    "sees": """
import os, sys, tempfile
def run(job):
    seen = {"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ),
            "stdin": os.readlink("/proc/self/fd/0"), "open": sorted(os.listdir("/proc/self/fd")),
            "leads": os.getpgrp() == os.getpid(), "path": sys.path,
            "watched": os.getsid(0) == os.getppid(), "temporary": tempfile.gettempdir()}
    for name in ("TMPDIR", "PYTEST_CURRENT_TEST"):
        seen["environment"].pop(name)
    job.write_json("seen.json", seen)
    print("said")
""",
    "crashes": "import os\ndef run(job): os.kill(os.getpid(), 11)",
    "exits": "def run(job): raise SystemExit(5)",
    "sleeps": """
import os, subprocess, sys, time
def run(job):
    sleeper = [sys.executable, "-c", "import time; x = bytearray(200_000_000); time.sleep(600)"]
    away = subprocess.Popen(sleeper, start_new_session=True)
    job.write_json("part", [os.getpid(), away.pid])
    os.rename(job.output("part"), job.output("pids.json"))
    time.sleep(600)
""",
    "once": """
import os, time
def run(job):
    first = not os.path.exists(job.params["mark"])
    open(job.params["mark"], "a").close()
    job.write_json("left.json", first)
    time.sleep(600 if first else 0)
""",
    "asks": """
import os
from pathlib import Path
from trtbuild.workers.child import run_job
def run(job):
    out = run_job("steps.sees", {}, {}, Path(job.out).with_name("nested"), where="")
    job.output("nested.json").write_text((out / "seen.json").read_text())
""",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package whose steps are those above, and whose zygote imports modules of this test's."""
    source, copy = Path(trtbuild.__path__[0]), tmp_path_factory.mktemp("lib") / "trtbuild"
    for name in ("base", "core", "workers"):
        shutil.copytree(source / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(source / "__init__.py", copy / "__init__.py")
    zygote = copy / "workers" / "zygote.py"
    text = zygote.read_text("utf-8")
    assert text.count("_AT_ONCE = (") == text.count("_SOON = (") == text.count("_LATER = (") == 1
    text = text.replace("_AT_ONCE = (", '_AT_ONCE = ("trtbuild.first",)\n_UNUSED = (')
    text = text.replace("_SOON = (", "_SOON = ()\n_NO = (")
    zygote.write_text(text.replace("_LATER = (", '_LATER = ("json.tool",)\n_NEITHER = ('), "utf-8")
    (copy / "first.py").write_text("", "utf-8")
    (copy / "steps").mkdir()
    for name, content in {"__init__": "", **STEPS}.items():
        (copy / "steps" / f"{name}.py").write_text(content, "utf-8")
    return copy


@pytest.fixture
def worker(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hermetic, "WORKER", package / "workers" / "run.py")
    monkeypatch.setattr(forks, "_OF_EACH", ("TMPDIR", "PYTEST_CURRENT_TEST"))
    return hermetic.WORKER


@pytest.fixture
def zygote(worker: Path) -> Iterator[Zygote]:
    made = Zygote.start()
    yield made
    made.end()


@pytest.fixture
def executor(worker: Path) -> Iterator[LocalExecutor]:
    made = LocalExecutor(2, 10**12)
    yield made
    made.stop()


def sandbox(folder: Path, kind: str, **params: object) -> Path:
    (folder / "out").mkdir(parents=True)
    write_job(folder, Job(kind, params, {}, "out", "."))
    return folder


def forked(zygote: Zygote, folder: Path) -> Fork:
    fork = zygote.fork(folder, cwd=folder, environment=inherited(), log=folder / "log.txt")
    assert fork is not None
    return fork


def read(folder: Path, name: str) -> object:
    assert until((folder / "out" / name).exists)
    return json.loads((folder / "out" / name).read_text("utf-8"))


def tensorflow(kind: str = "a") -> object:
    return replace(step(kind), params={"tools": {"tensorflow": "2.21.0"}})


def test_a_fork_sees_what_a_started_process_sees(zygote: Zygote, worker: Path, tmp_path: Path) -> None:
    """Arguments, folder, environment, descriptors, process group and path; its log and temporary files are its own."""
    seen = {}
    for name in ("fork", "process"):
        folder = sandbox(tmp_path / name, "sees")
        command = [sys.executable, "-s", str(worker), str(folder)]
        process = start(command, zygote if name == "fork" else None, folder, cwd=folder, environment=inherited(),
                        log=folder / "log.txt")  # fmt: skip
        assert isinstance(process, Fork if name == "fork" else Process)
        assert process.wait(PATIENCE_S) and process.end() == 0
        assert (folder / "log.txt").read_text("utf-8") == "said\n"
        seen[name] = json.dumps(read(folder, "seen.json")).replace(str(folder), "FOLDER")
    fork, process = (json.loads(text) for text in seen.values())
    # The forked one can ask for forks of its own.
    assert len(fork.pop("open")) == len(process.pop("open")) + 1
    assert fork == process and fork["temporary"] == "FOLDER/tmp" and fork["leads"] and fork["watched"]


def test_another_environment_needs_another_process(zygote: Zygote, tmp_path: Path) -> None:
    """Libraries read theirs as they are imported; the place of temporary files is not one of these."""
    folder = sandbox(tmp_path / "a", "sees")

    assert zygote.fork(folder, cwd=folder, environment=inherited(TF_ENABLE_ONEDNN_OPTS="0"), log=None) is None
    fork = zygote.fork(folder, cwd=folder, environment=inherited(TMPDIR="/elsewhere"), log=folder / "log.txt")
    assert fork is not None and fork.end() is not None


@pytest.mark.parametrize(("kind", "code"), [("crashes", -signal.SIGSEGV), ("exits", 5)])
def test_a_death_is_its_own(zygote: Zygote, tmp_path: Path, kind: str, code: int) -> None:
    """Its status, or the signal that killed it; the next one is forked as before."""
    for name in ("one", "two"):
        fork = forked(zygote, sandbox(tmp_path / name, kind))
        assert fork.wait(PATIENCE_S) and (fork.end(), fork.lost) == (code, False)


def test_ending_one_ends_all_that_it_started(zygote: Zygote, tmp_path: Path) -> None:
    """Whatever session that is in; until then, its memory counts."""
    folder = sandbox(tmp_path / "one", "sleeps")
    fork = forked(zygote, folder)
    pids = read(folder, "pids.json")
    assert isinstance(pids, list) and until(lambda: memory_of(fork.pid) > 200_000_000)

    assert fork.end() == -signal.SIGKILL and all(map(gone, pids))
    assert zygote.ready()


@pytest.mark.parametrize("how", ["end", "kill"])
def test_forks_die_with_the_driver(worker: Path, tmp_path: Path, how: str) -> None:
    """Whether it ends the zygote, or is killed."""
    folder = sandbox(tmp_path / "one", "sleeps")
    code = f"""
import sys, time
from pathlib import Path
from trtbuild.workers import hermetic, forks
from trtbuild.workers.process import inherited
hermetic.WORKER, folder = Path({str(worker)!r}), Path({str(folder)!r})
zygote = forks.Zygote.start()
fork = zygote.fork(folder, cwd=folder, environment=inherited(), log=None)
sys.stdin.readline()
zygote.end()
"""
    driver = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    pids = read(folder, "pids.json")
    assert isinstance(pids, list)
    driver.communicate(b"end\n") if how == "end" else driver.kill()
    driver.wait()

    assert until(lambda: all(map(gone, pids)))


def test_a_job_of_a_forked_step_is_forked(zygote: Zygote, tmp_path: Path) -> None:
    """By its supervisor: what it sees is what a job that was started sees."""
    folder = sandbox(tmp_path / "one", "asks")
    fork = forked(zygote, folder)
    assert fork.wait(PATIENCE_S) and fork.end() == 0
    nested = read(folder, "nested.json")

    assert isinstance(nested, dict) and nested["leads"] and nested["watched"]
    assert nested["cwd"] == str(folder / "nested") and nested["temporary"] == str(folder / "nested" / "tmp")
    assert (folder / "nested" / "log.txt").read_text("utf-8") == "said\n"


def test_a_step_whose_zygote_has_died_is_started_again(executor: LocalExecutor, tmp_path: Path) -> None:
    """As a process of its own, in an empty sandbox."""
    mark = tmp_path / "mark"
    folder = sandbox(tmp_path / "one", "once", mark=str(mark))
    executor.start(tensorflow(), folder, lambda _: Path(sys.executable))
    assert until(mark.exists)
    assert executor._nursery.zygote is not None and executor._nursery.zygote._process is not None
    psutil.Process(executor._nursery.zygote._process.pid).children()[0].kill()  # its supervisor ends all that it forked
    ended = executor.wait(PATIENCE_S)

    assert ended is not None and ended.returncode == 0 and read(folder, "left.json") is False


def test_nothing_is_forked_beside_a_thread(package: Path, executor: LocalExecutor, tmp_path: Path) -> None:
    """A library that starts one holds locks, perhaps; the step is started."""
    (package / "first.py").write_text("import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()")
    try:
        executor.start(tensorflow(), sandbox(tmp_path / "one", "sees"), lambda _: Path(sys.executable))
        ended = executor.wait(PATIENCE_S)
    finally:
        (package / "first.py").write_text("", "utf-8")

    assert ended is not None and ended.returncode == 0 and executor._nursery.zygote is None


def test_only_steps_that_need_tensorflow_start_a_zygote(executor: LocalExecutor, tmp_path: Path) -> None:
    """Others are forked once it is there; its memory is no longer free."""
    for name, one in (("one", step("a")), ("two", tensorflow()), ("three", step("a"))):
        before = executor._nursery.zygote
        executor.start(one, sandbox(tmp_path / name, "sees"), lambda _: Path(sys.executable))
        assert (executor._nursery.zygote is None) == (name == "one")
        kind = type(next(iter(executor._running.values())).process)
        assert kind is (Process if name == "one" else Fork) and (name != "three" or executor._nursery.zygote is before)
        ended = executor.wait(PATIENCE_S)
        assert ended is not None and ended.returncode == 0
    assert executor.resources.memory_bytes < 10**12


COMPUTES = """
def run(job):
    import tensorflow as tf
    job.write_json("out.json", float(tf.function(lambda x: x * x)(tf.constant(3.0))))
"""


def test_builds_of_one_command_share_a_zygote(worker: Path, tmp_path: Path) -> None:
    """It may be started before the first of them, and is ended after the last."""
    with forks.one_nursery() as nursery, forks.one_nursery() as same:
        assert same is nursery
        nursery.start()
        zygote = nursery.zygote
        for name in ("one", "two"):
            executor = LocalExecutor(2, 10**12)
            executor.start(tensorflow(), sandbox(tmp_path / name, "sees"), lambda _: Path(sys.executable))
            ended = executor.wait(PATIENCE_S)
            executor.stop()
            assert ended is not None and ended.returncode == 0 and nursery.zygote is zygote
            assert executor.resources.memory_bytes == 10**12 - forks.MEMORY_BYTES
    assert nursery.zygote is None and forks.shared_nursery() is None
    assert zygote is not None and zygote._process is not None and gone(zygote._process.pid)


@pytest.mark.slow
def test_tensorflow_is_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the real one imports starts no thread, and forks of it compute."""
    copy = tmp_path / "lib" / "trtbuild"
    shutil.copytree(Path(trtbuild.__path__[0]), copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "steps" / "computes.py").write_text(COMPUTES, "utf-8")
    monkeypatch.setattr(hermetic, "WORKER", copy / "workers" / "run.py")
    zygote = Zygote.start()
    try:
        assert until(zygote.ready, 120)
        for name in ("one", "two", "three"):
            fork = forked(zygote, sandbox(tmp_path / name, "computes"))
            assert fork.wait(60) and fork.end() == 0 and read(tmp_path / name, "out.json") == 9.0
            time.sleep(1)  # it goes on importing
    finally:
        zygote.end()
