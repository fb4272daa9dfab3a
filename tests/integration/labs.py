"""A real Dask scheduler and real workers, each a process with a home, a folder and a cache of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.integration.conftest import ROOT
from tests.integration.servers import free_port
from tests.support.processes import until

PRELOAD = ("--preload", "trtbuild.workers.lab")
START_S = 60.0


def environment(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    return os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Lab:
    folder: Path
    python: str = sys.executable
    address: str = ""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def scheduler(self) -> None:
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        words = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", ":0", *PRELOAD]
        self._start("dask_scheduler", words, "Scheduler at:")

    def worker(self, *words: str, python: str = "", threads: int = 1, wait: bool = True) -> psutil.Process:
        """Start one; its own process, without a nanny.

        Args:
            wait: until it is there.
        """
        folder = self.folder / f"w{len(self.started)}"
        own = ["--no-nanny", "--no-dashboard", "--nthreads", str(threads), "--local-directory", str(folder)]
        words = (self.address, *own, *PRELOAD, *words)
        return self._start("dask_worker", words, "Registered to:" if wait else "", python)

    def _start(self, program: str, words: Sequence[str], ready: str, python: str = "") -> psutil.Process:
        number = len(self.started)
        self.logs.append(self.folder / f"{program}{number}.log")
        argv = [python or self.python, "-m", f"distributed.cli.{program}", *words]
        with self.logs[-1].open("wb") as log:
            home = environment(self.folder / f"home{number}")
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=home, cwd=self.folder)
        self.started.append(process)
        there = until(lambda: ready in self.logs[-1].read_text("utf-8") or process.poll() is not None, START_S)
        assert there and process.poll() is None, self.logs[-1].read_text("utf-8")
        return psutil.Process(process.pid)

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()

    def driver(self, root: Path, steps: Sequence[Mapping[str, object]], **executor: object) -> subprocess.Popen[str]:
        """A build of pauses in this workspace, by a user of its own."""
        spec = {"module": "dask", "address": self.address, **executor}
        argv = [sys.executable, "-m", "tests.support.pauses", str(root), json.dumps(spec), json.dumps(steps)]
        home = environment(root.with_name(f"{root.name}-home"))
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home, cwd=ROOT)

    def build(self, root: Path, steps: Sequence[Mapping[str, object]], **executor: object) -> dict[str, Any]:
        return ended(self.driver(root, steps, **executor))


def ended(driver: subprocess.Popen[str]) -> dict[str, Any]:
    """What a driver printed, and its notes."""
    out, said = driver.communicate(timeout=120)
    assert driver.returncode == 0, said
    return {**json.loads(out), "said": said}


def begun(witness: Path) -> list[int]:
    """Process ids of the pauses that have begun."""
    return list(map(int, witness.read_text("ascii").split())) if witness.exists() else []


def worker_of(pid: int) -> psutil.Process:
    """The worker that runs a pause."""
    return next(p for p in psutil.Process(pid).parents() if any("dask_worker" in word for word in p.cmdline()))
