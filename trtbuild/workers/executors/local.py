"""Steps as child processes of this one, as many as cores and memory allow, each in its own process group.

Once a step needs TensorFlow, a process that has imported it forks the steps of this environment (workers/zygote.py).
Where that cannot be, or has died, each step is started.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trtbuild.base.claim import Claim
from trtbuild.core.schedule import Resources, fits
from trtbuild.core.spec import Executor
from trtbuild.core.step import Step
from trtbuild.workers import hermetic
from trtbuild.workers.executors import Completion, Interpreter, Site
from trtbuild.workers.forks import MEMORY_BYTES, Fork, Nursery, Zygote, shared_nursery, start
from trtbuild.workers.limits import Limits, shorten
from trtbuild.workers.process import Process, inherited, readable

_LOOK_S = 1.0  # how often running steps are compared with their limits


@dataclass(frozen=True)
class _Running:
    step: Step
    sandbox: Path
    process: Process | Fork
    alias: Claim | None
    since: float


class LocalExecutor:
    def __init__(
        self, workers: int | None = None, memory_bytes: int | None = None, limits: Limits | None = None,
        nursery: Nursery | None = None,
    ) -> None:  # fmt: skip
        """``workers``: at once, default one for each core; ``memory_bytes``: for all, default what is free now.

        ``nursery``: shared with other executors, and ended by whoever made it; default the command's, if it has one.
        """
        self._limits = limits or Limits()
        self.resources = Resources(workers or len(os.sched_getaffinity(0)), memory_bytes or free_memory_bytes())
        self._running: dict[int, _Running] = {}
        given = nursery or shared_nursery()
        self._nursery, self._own_nursery = given or Nursery(), given is None
        self._zygote_counted = False

    def free(self, step: Step) -> bool:
        return fits(step, [running.step for running in self._running.values()], self.resources)

    def start(self, step: Step, sandbox: Path, interpreter: Interpreter) -> bool:
        alias: Claim | None = None
        python = interpreter(step)
        zygote = self._zygote_for(step) if python == Path(sys.executable) and step.environment == "main" else None
        try:
            if step.environment == "toolchain":
                alias = hermetic.alias(step.key, python, sandbox)
                command, environment = hermetic.command(alias.folder, python), hermetic.environment()
            else:
                command = [str(python), "-s", str(hermetic.WORKER), str(sandbox)]
                environment = inherited()
            cwd = alias.folder if alias else sandbox
            process = start(command, zygote, sandbox, cwd=cwd, environment=environment, log=sandbox / "log.txt")
        except BaseException:
            if alias is not None:
                alias.release()
            raise
        self._running[process.fileno()] = _Running(step, sandbox, process, alias, time.monotonic())
        return True

    def _zygote_for(self, step: Step) -> Zygote | None:
        """What forks this step; it is worth its start for TensorFlow only."""
        if needed := needs_tensorflow(step):
            self._nursery.start()
        zygote = self._nursery.zygote
        if zygote and not self._zygote_counted:
            self._zygote_counted = True
            left = max(self.resources.memory_bytes - MEMORY_BYTES, 1)
            self.resources = replace(self.resources, memory_bytes=left)
        return zygote if zygote and (needed or zygote.ready()) else None

    def wait(self, timeout_s: float | None) -> Completion | None:
        if not self._running:
            return None
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            if ready := readable(list(self._running), min(left, _LOOK_S)):
                if (ended := self._conclude(ready[0])) is not None:
                    return ended
                continue
            for number, running in self._running.items():
                shorten(running.sandbox / "log.txt")
                if why := self._limits.exceeded(running.step, running.process.pid, running.since):
                    return self._conclude(number, why)
            if left <= _LOOK_S:
                return None

    def _conclude(self, number: int, exceeded: str = "") -> Completion | None:
        """How it ended; None if it has been started again, since what had forked it is gone."""
        running = self._running.pop(number)
        returncode = self._end(running)
        if isinstance(running.process, Fork) and running.process.lost and not exceeded:
            self._nursery.zygote = None
            _empty(running.sandbox)
            self.start(running.step, running.sandbox, lambda _: Path(sys.executable))
            return None
        return Completion(running.step, running.sandbox, returncode, exceeded)

    def stop(self) -> None:
        for running in self._running.values():
            self._end(running)
        self._running.clear()
        if self._own_nursery:
            self._nursery.end()

    @staticmethod
    def _end(running: _Running) -> int:
        returncode = running.process.end()
        if running.alias is not None:
            running.alias.release()
        return returncode


def needs_tensorflow(step: Step) -> bool:
    tools = step.params.get("tools")
    return isinstance(tools, Mapping) and "tensorflow" in tools


def _empty(sandbox: Path) -> None:
    """Remove what a lost process has left there."""
    for path in sandbox.iterdir():
        if path.name not in ("in", "job.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (sandbox / "out").mkdir()


def make(spec: Executor, site: Site) -> LocalExecutor:
    return LocalExecutor(spec.workers, spec.memory_bytes, Limits(spec.time_limit_s, spec.memory_limit_bytes))


def free_memory_bytes() -> int:
    """What new processes may take: the machine's available memory, or less in a container (cgroup v2)."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no limit says "max"; other versions have no such files
        limit = int((group / "memory.max").read_text("ascii"))
        used = int((group / "memory.current").read_text("ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
        free = min(free, limit - used + int(stat.get("inactive_file", 0)))  # the page cache gives way
    return max(free, 1)
