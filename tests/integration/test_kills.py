"""Tests of real builds that are killed: nothing of theirs outlives them, no byte is half, and the next one goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clones import verified
from tests.integration.conftest import ROOT, Run
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import same
from trtbuild.store import Store
from trtbuild.store.tracking import read_record

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("KILLS", "1"))  # of one build; KILLS=100 is the stress test, of some 20 minutes
WORDS = ["model=tiny", "precision=int8"]
SECONDS = float(os.environ.get("KILLS_WITHIN", "8"))  # a build takes about as long
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def processes(folder: Path) -> Iterator[str]:
    """Command lines of those that have a file of this folder open, run in it or were told of it."""
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            places = [os.readlink(proc / "cwd"), *(os.readlink(link) for link in (proc / "fd").iterdir())]
            words = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(proc.name) != os.getpid() and (str(folder) in words or any(p.startswith(f"{folder}/") for p in places)):
            yield words


def assert_sound(workspace: Path) -> None:
    """Every object is what its name says, and every record's outputs are in the cache."""
    store = Store(Workspace(workspace))
    for lock in workspace.glob("build/*/*/dvc.lock"):
        record = read_record(lock, lock.parent.name.partition("-")[0])
        assert record is not None, lock
        for name, digest in record.outs.items():
            assert store.objects.has(digest), (lock, name)
            here = store.digest((lock.parent / name).relative_to(workspace).as_posix())
            assert here is None or same(here, digest), (lock, name)


def test_a_killed_build_leaves_whole_results_and_no_process(workspace: Path, trtbuild: Run) -> None:
    """kill -9 at any time: of the driver, or of the whole PID namespace that it runs in."""
    chance = random.Random(KILLS)
    spaces = [[], NAMESPACE] if os.geteuid() == 0 else [[]]
    argv = [sys.executable, "-m", "trtbuild", *WORDS]
    for number in range(KILLS):
        with subprocess.Popen(
            [*spaces[number % len(spaces)], *argv], cwd=workspace, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as driver:  # fmt: skip
            time.sleep(chance.uniform(0.1, SECONDS))
            driver.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 30
        while left := list(processes(workspace)):
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        assert_sound(workspace)
        for lock in workspace.glob("build/*/*/dvc.lock"):
            if chance.random() < 0.2:  # so that there is always something to do, also without the run cache
                lock.unlink()
                for entry in (workspace / ".dvc" / "cache" / "runs").glob("*/*/*"):
                    if chance.random() < 0.2:
                        entry.unlink()
    trtbuild(*WORDS, "-q", check=0)
    assert_sound(workspace)
    assert verified(workspace)
