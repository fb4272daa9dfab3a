"""Tests of builds in which something goes wrong from outside: kills, a full disk, other builds, the clock."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakes import FakeExecutor, build, chain, concatenate, ended, plan, step
from tests.support.publishing import plant
from trtbuild.base.workspace import Workspace
from trtbuild.building import loop
from trtbuild.core.job import Job
from trtbuild.core.step import Step
from trtbuild.store import Store
from trtbuild.store.digests import file_md5

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KILLS", "5"))  # of a driver; KILLS=100 is the stress test


def workspace(folder: Path, cache: Path) -> Store:
    """One of several on a cache, all with the same source."""
    made = Workspace(folder)
    for part in (made.dvc, made.private / "work", folder / ".git"):
        part.mkdir(parents=True)
    (made.dvc / "config.local").write_text(f"[cache]\n    dir = {cache}\n", "utf-8")
    plant(folder / "models", {"source": "1"})
    return Store(made)


def assert_sound(store: Store, *steps: Step) -> None:
    """Objects are what their names say, and every record's outputs are there."""
    for file in (store.workspace.cache / "files" / "md5").glob("??/*"):
        if not file.name.startswith("."):
            assert file_md5(file) == (file.parent.name + file.name).removesuffix(".dir")
    fresh = Store(store.workspace)
    for one in steps:
        record = fresh.record(one)
        assert record is None or all(fresh.objects.has(digest) for digest in record.outs.values())


@pytest.mark.parametrize("count", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shared", ["the cache", "the workspace"])
def test_builds_at_once_run_every_action_once(tmp_path: Path, count: int, shared: str) -> None:
    """Of workspaces that share a cache, or of one workspace: the others take the result."""
    steps, ran = chain("a", "b", "c"), []

    def slowly(job: Job) -> None:
        ran.append(job.kind)
        time.sleep(0.05)
        concatenate(job)

    places = [tmp_path / (f"ws{i}" if shared == "the cache" else "ws") for i in range(count)]
    stores = {place: workspace(place, tmp_path / "cache") for place in dict.fromkeys(places)}
    work = dict.fromkeys("abc", slowly)
    outcomes = []
    builds = [
        threading.Thread(target=lambda p=place: outcomes.append(build(stores[p], plan(steps[-1]), FakeExecutor(work))))
        for place in places
    ]
    for each in builds:
        each.start()
    for each in builds:
        each.join()

    assert sorted(ran) == ["a", "b", "c"]
    assert len(outcomes) == count and not any(outcome.failures for outcome in outcomes)
    assert len({(place / steps[-1].folder / "out.bin").read_bytes() for place in places}) == 1


def test_a_pulled_model_is_built_from_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a model had to be pulled first, as where it was there: the later build takes the earlier one's result."""
    (one,), ran, runs = chain("a"), [], threading.Event()
    clone, other = (workspace(tmp_path / name, tmp_path / "cache") for name in ("clone", "other"))

    def slowly(job: Job) -> None:
        ran.append(job.kind)
        runs.set()
        time.sleep(0.05)
        concatenate(job)

    rival = threading.Thread(target=lambda: build(other, plan(one), FakeExecutor({"a": slowly})))

    def pull(wanted: list[str], store: Store) -> dict[str, None]:
        plant(store.root / "models", {"source": "1"})
        rival.start()
        assert runs.wait(30)
        return dict.fromkeys(wanted)

    monkeypatch.setattr(loop, "bring_models", pull)
    plant(clone.root, {"models.dvc": "outs:\n- {md5: c4ca4238a0b923820dcc509a6f75849b.dir, path: models}\n"})
    (clone.root / "models" / "source").unlink()
    outcome = build(clone, plan(one), FakeExecutor({"a": slowly}))
    rival.join()

    assert ran == ["a"]
    assert ended(outcome, one) == ["restored"]


def test_a_cache_without_locks_is_used(store: Store) -> None:
    """One that cannot be written: restoring only reads it."""
    (one,) = chain("a")
    plant(store.root / "models", {"source": "1"})
    build(store, plan(one))
    locks = store.workspace.cache / "locks"
    for lock in locks.iterdir():
        lock.unlink()
    locks.rmdir()
    locks.write_text("not a folder", "utf-8")
    (store.root / one.folder / "out.bin").unlink()

    assert ended(build(store, plan(one)), one) == ["restored"]


def failing_at(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> Callable[[], bool]:
    """Have the call of this number to a function of the operating system find the disk full; whether it was made."""
    original, calls = getattr(os, name), [0]

    def call(*words: object, **options: object) -> object:
        calls[0] += 1
        if calls[0] == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk")
        return original(*words, **options)

    monkeypatch.setattr(os, name, call)
    return lambda: calls[0] >= number


SLOW = pytest.mark.slow


@pytest.mark.parametrize("name", ["replace", pytest.param("fsync", marks=SLOW), pytest.param("mkdir", marks=SLOW)])
def test_a_full_disk_at_any_write_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Status 3 and nothing half-written; with space again, the build completes."""
    plant(store.root / "models", {"source": "1"})
    number, steps = 0, []
    while True:
        number += 1
        one = step(f"a{number}", files=("models/source",))
        steps.append(one)
        with monkeypatch.context() as patched:
            reached = failing_at(patched, name, number)
            try:
                outcome = build(store, plan(one))
            except OSError as error:
                assert error.errno == errno.ENOSPC
            else:
                assert {error.exit_status for error in outcome.failures.values()} <= {3}
            if not reached():
                break
        assert_sound(store, *steps)
        assert ended(build(store, plan(one)), one)[0] in ("ran", "restored", "fresh")
    assert number > 1
    assert not list(store.root.rglob("*.tmp"))


def test_a_clock_that_goes_back_hides_no_change(store: Store) -> None:
    """A file that is edited in an older time, with the same size, is another one."""
    (one,) = chain("a")
    source = plant(store.root / "models", {"source": "1"}) / "source"
    build(store, plan(one))
    before = source.stat()
    source.write_text("2", "utf-8")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns - 10**12))

    assert ended(build(store, plan(one)), one) == ["ran"]


DRIVER = """
import sys, time
from pathlib import Path
from tests.support.fakes import FakeExecutor, build, chain, concatenate, plan
from trtbuild.base.workspace import Workspace
from trtbuild.store import Store
def work(job):
    time.sleep(0.01)
    concatenate(job)
steps = chain(*"abcdefgh")
print("ready", flush=True)
outcome = build(Store(Workspace(Path(sys.argv[1]))), plan(steps[-1]), FakeExecutor(dict.fromkeys("abcdefgh", work)))
assert not outcome.failures
"""


@SLOW
def test_a_killed_driver_leaves_no_half_result(store: Store) -> None:
    """kill -9 at any time: objects and records are whole, and the next build goes on from there."""
    plant(store.root / "models", {"source": "1"})
    steps, chance = chain(*"abcdefgh"), random.Random(KILLS)
    argv = [sys.executable, "-c", DRIVER, str(store.root)]
    for _ in range(KILLS):
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as driver:
            assert driver.stdout is not None and driver.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.2))
            driver.kill()
        assert_sound(store, *steps)
        for one in steps[chance.randrange(8) :]:
            (store.root / one.folder / "dvc.lock").unlink(missing_ok=True)
    assert not build(store, plan(steps[-1])).failures
    assert_sound(store, *steps)
    assert not list(store.workspace.work.iterdir())
