"""Steps as child processes of this one, as many as cores and memory allow, each in a process group of its own."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from trtbuild.core.schedule import Resources, fits
from trtbuild.core.step import Step
from trtbuild.workers import hermetic
from trtbuild.workers.executors import Ended

# TensorFlow's start-up chatter hides the line that matters; hash order must not reach any output.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True)
class _Running:
    step: Step
    sandbox: Path
    process: subprocess.Popen[bytes]
    pidfd: int
    lifeline: int  # our end of the pipe; the kernel kills the child's group when it closes
    alias: Path | None


class LocalExecutor:
    def __init__(self, workers: int | None = None, memory_bytes: int | None = None) -> None:
        """``workers``: at once, default one for each core; ``memory_bytes``: for all, default what is free now."""
        self.resources = Resources(workers or len(os.sched_getaffinity(0)), memory_bytes or free_memory_bytes())
        self._running: dict[int, _Running] = {}

    def free(self, step: Step) -> bool:
        return fits(step, [running.step for running in self._running.values()], self.resources)

    def start(self, step: Step, sandbox: Path, interpreter: Path) -> None:
        watch, lifeline = os.pipe()
        alias: Path | None = None
        try:
            if step.environment == "toolchain":
                alias = hermetic.alias(step.key, interpreter, sandbox)
                argv, environment = hermetic.command(alias, interpreter, watch), hermetic.environment()
            else:
                argv = [str(interpreter), "-s", str(hermetic.WORKER), str(sandbox), str(watch)]
                environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | _QUIET
            with (sandbox / "log.txt").open("wb") as log:
                process = subprocess.Popen(
                    argv, cwd=alias or sandbox, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    pass_fds=[watch], start_new_session=True, env=environment,
                )  # fmt: skip
            pidfd = os.pidfd_open(process.pid)
        except BaseException:
            os.close(lifeline)  # which also ends a process that has started
            hermetic.remove(alias)
            raise
        finally:
            os.close(watch)
        self._running[pidfd] = _Running(step, sandbox, process, pidfd, lifeline, alias)

    def wait(self, timeout_s: float | None) -> Ended | None:
        if not self._running:
            return None
        ready, _, _ = select.select(list(self._running), [], [], timeout_s)
        if not ready:
            return None
        running = self._running.pop(ready[0])
        return Ended(running.step, running.sandbox, self._end(running))

    def stop(self) -> None:
        for running in self._running.values():
            self._end(running)
        self._running.clear()

    @staticmethod
    def _end(running: _Running) -> int:
        """Kill what is left of the step's group (before its leader is reaped, while the id is surely ours)."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        returncode = running.process.wait()
        os.close(running.pidfd)
        os.close(running.lifeline)
        hermetic.remove(running.alias)
        return returncode


def make(workers: int | None, memory_bytes: int | None) -> LocalExecutor:
    return LocalExecutor(workers, memory_bytes)


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
