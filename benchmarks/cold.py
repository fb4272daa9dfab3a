"""A cold build now and at an earlier commit, in turns, and what a step costs besides its own work."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import say
from trtbuild.core.job import read_result
from trtbuild.core.step import Step
from trtbuild.workers.executors import Completion, Interpreter
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.status import Status

EARLIER = "8846e0a"  # the last commit at which every step imported TensorFlow itself
PAIRS = 3
SEGNET = ("model=segnet", "precision=int8")
SWEEP = ("-m", "model=segnet,lenet,mobilenet_v2", "precision=fp32,fp16,bf16", "tensorrt=rtx-1.6,rtx-1.7")


@dataclass(frozen=True)
class Run:
    """Wall time, and the processor time of the process and all that it started."""

    seconds: float
    cpu_s: float


def against_earlier(root: Path, scratch: Path, name: str, words: Sequence[str], bar: float, pairs: int = PAIRS) -> None:
    """Build in fresh clones of both commits in turns; every other pair backwards.

    Both run in this environment; a clone's own package is used, since Python looks in the current folder first.
    """
    runs: dict[str, list[Run]] = {"now": [], "earlier": []}
    for i in range(pairs):
        for side in ("now", "earlier") if i % 2 == 0 else ("earlier", "now"):
            workspace = _workspace(root, scratch / side, "HEAD" if side == "now" else EARLIER)
            runs[side].append(_run([sys.executable, "-m", "trtbuild", *words], workspace))
            shutil.rmtree(workspace)
    for side, measured in runs.items():
        shown = [", ".join(f"{value:.1f}" for value in values) for values in zip(*map(_both, measured), strict=True)]
        say(f"cold {name}, {side}", f"{shown[0]} s", f"processor time {shown[1]} s")
    seconds, cpu = (
        statistics.median(_both(now)[i] for now in runs["now"])
        / statistics.median(_both(earlier)[i] for earlier in runs["earlier"])
        for i in (0, 1)
    )
    say("  ratio of medians", f"{seconds:.2f}, of processor time {cpu:.2f}", f"bar {bar:.2f}")


def _both(run: Run) -> tuple[float, float]:
    return run.seconds, run.cpu_s


def _workspace(root: Path, folder: Path, commit: str) -> Path:
    subprocess.run(["git", "clone", "-q", str(root), str(folder)], check=True)
    subprocess.run(["git", "checkout", "-q", commit], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "pull", "-q", "models.dvc"], cwd=folder, check=True)
    return folder


def _run(argv: Sequence[str], cwd: Path) -> Run:
    before, started = _cpu_s(), time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode > 1:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return Run(time.perf_counter() - started, _cpu_s() - before)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class TimedStatus(Status):
    """When each step was submitted and recorded: by the clock, and by this process's processor time."""

    def __init__(self) -> None:
        self.submitted: dict[str, Run] = {}
        self.recorded: dict[str, Run] = {}

    def finished(self, step: Step, how: str) -> None:
        self.recorded[step.key] = _now()


def _now() -> Run:
    return Run(time.perf_counter(), time.process_time())


@dataclass
class TimedExecutor:
    """A local executor of one slot, and the seconds of each step's own work, from its imports to its last output."""

    status: TimedStatus
    local: LocalExecutor = field(default_factory=lambda: LocalExecutor(1))
    own_s: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)

    def free(self, step: Step) -> bool:
        return self.local.free(step)

    def start(self, step: Step, sandbox: Path, interpreter: Interpreter) -> bool:
        self.status.submitted[step.key] = _now()
        begun = self.local.start(step, sandbox, interpreter)
        running = next(iter(self.local._running.values()))
        self.kinds[step.key] = (step.kind, type(running.process).__name__)
        return begun

    def wait(self, timeout_s: float | None) -> Completion | None:
        ended = self.local.wait(timeout_s)
        if ended is not None and (result := read_result(ended.sandbox)) is not None:
            self.own_s[ended.step.key] = float(str(result.facts["seconds"]))
        return ended

    def stop(self) -> None:
        self.local.stop()


def overhead(workspace: Path, words: Sequence[str]) -> None:
    """Submit to recorded, without the step's own work, of each step of a build; one step at a time."""
    from trtbuild import toolchains
    from trtbuild.base.workspace import find_workspace
    from trtbuild.building.loop import Builder
    from trtbuild.building.planned import plan_overrides

    os.chdir(workspace)
    p = plan_overrides(find_workspace(workspace), words, sweep=False)
    p.workspace.prepare()
    status = TimedStatus()
    executor = TimedExecutor(status)
    builder = Builder(
        p.store, executor, lambda step: toolchains.of_step(step, install=True, note=status.note), status
    )
    if failures := builder.build(p.plan).failures:
        raise SystemExit(str(next(iter(failures.values()))))
    found: dict[str, list[float]] = {}
    for key, own_s in executor.own_s.items():
        kind, how = executor.kinds[key]
        begin, end = status.submitted[key], status.recorded[key]
        beyond, ours = 1000 * (end.seconds - begin.seconds - own_s), 1000 * (end.cpu_s - begin.cpu_s)
        print(f"  {kind:<12} {how:<8} {beyond:7.0f} ms beyond {1000 * own_s:.0f}; here {ours:.0f} ms", flush=True)
        found.setdefault(how, []).append(beyond)
    for how, values in found.items():
        middle = f"{statistics.median(values):.0f} ms (max {max(values):.0f}, n={len(values)})"
        say(f"overhead of a step, {how}", middle, "bar 60 ms")
