"""Peak memory of every step of a build against its estimate: ``python -m benchmarks.memory VGG16 …``.

A step's memory is that of its process and all that it starts: what each has alone, and of what they share (pages of a
forked child's parent, libraries) as much as the one that shares most.  PSS would count a library's pages by a fraction
that hangs on what else runs on the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import say
from trtbuild.core.step import Step
from trtbuild.workers.executors import Interpreter
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.forks import Fork

POLL_S = 0.02
APPLICATIONS = ("ResNet50", "ConvNeXtTiny", "VGG16")  # 103, 114 and 553 MB of weights
MAKE = """
import sys, keras
keras.utils.set_random_seed(0)
size = int(sys.argv[3])
getattr(keras.applications, sys.argv[1])(weights=None, input_shape=(size, size, 3)).save(sys.argv[2])
"""


@dataclass
class Peaks:
    """``steps``: kind and label -> estimate and measured bytes; ``whole``: with the process that runs them."""

    steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    whole: int = 0


class WatchedExecutor(LocalExecutor):
    """The local executor, and what its steps take."""

    def __init__(self) -> None:
        super().__init__()
        self.peaks = Peaks()

    def start(self, step: Step, sandbox: Path, interpreter: Interpreter) -> bool:
        name = f"{step.kind}-{step.label}".rstrip("-")
        self.peaks.steps[name] = (step.memory_bytes, 0)
        return super().start(step, sandbox, interpreter)

    @contextmanager
    def watching(self) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                self._look()
                time.sleep(POLL_S)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _look(self) -> None:
        everything = list(memory_of(os.getpid()))
        for running in list(self._running.values()):
            name = f"{running.step.kind}-{running.step.label}".rstrip("-")
            found = memory_of_tree(running.process.pid) if running.process.pid else []  # 0: not forked yet
            everything += found
            declared, peak = self.peaks.steps[name]
            # What a fork shares is the zygote's, which is taken from the memory of all before.
            taken = sum(private for private, _ in found) if isinstance(running.process, Fork) else together(found)
            self.peaks.steps[name] = (declared, max(peak, taken))
        self.peaks.whole = max(self.peaks.whole, together(everything))


def memory_of_tree(pid: int) -> list[tuple[int, int]]:
    """Of a process and everything below it; nothing when it is gone."""
    import psutil

    try:
        root = psutil.Process(pid)
        return [found for process in [root, *root.children(recursive=True)] for found in memory_of(process.pid)]
    except psutil.NoSuchProcess:
        return []


def memory_of(pid: int) -> Iterator[tuple[int, int]]:
    """Private and shared bytes of one process."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB\n")}
    except OSError:
        return
    private, shared = (
        sum(size for name, size in kilobytes.items() if name in (f"{kind}_Clean", f"{kind}_Dirty"))
        for kind in ("Private", "Shared")
    )
    yield 1024 * private, 1024 * shared


def together(found: Sequence[tuple[int, int]]) -> int:
    return sum(private for private, _ in found) + max((shared for _, shared in found), default=0)


def build(workspace: Path, words: Sequence[str]) -> Peaks:
    """Build a variant in this process's workspace, every step of it."""
    from trtbuild import toolchains
    from trtbuild.base.workspace import find_workspace
    from trtbuild.building.loop import Builder
    from trtbuild.building.planned import plan_overrides
    from trtbuild.workers.status import PlainStatus

    os.chdir(workspace)
    p = plan_overrides(find_workspace(workspace), words, sweep=False)
    p.workspace.prepare()
    executor, status = WatchedExecutor(), PlainStatus(sys.stderr)
    builder = Builder(p.store, executor, lambda step: toolchains.of_step(step, install=True, note=status.note), status)
    with executor.watching():
        outcome = builder.build(p.plan)
    if outcome.failures:
        raise SystemExit(f"{next(iter(outcome.failures.values()))}")
    return executor.peaks


def of_application(name: str, scratch: Path, size_px: int = 224) -> Path:
    """A workspace with a keras.applications network for square images, its weights random."""
    model = scratch / f"{name}.keras"
    subprocess.run([sys.executable, "-c", MAKE, name, str(model), str(size_px)], check=True, capture_output=True)
    trtbuild = str(Path(sys.executable).with_name("trtbuild"))
    subprocess.run([trtbuild, "init", str(scratch / name), "--from", str(model)], check=True, capture_output=True)
    model.unlink()
    return scratch / name


def measure(scratch: Path, applications: Sequence[str]) -> None:
    for name in applications:
        workspace = of_application(name, scratch)
        peaks = build(workspace, [f"model={name}", "precision=int8"])
        weights = max(path.stat().st_size for path in workspace.glob("build/*/export-*/model.onnx"))
        say(f"{name} int8, {weights / 1e6:.0f} MB", f"peak {peaks.whole / 1e9:.2f} GB (process tree)", "")
        for step, (declared, found) in peaks.steps.items():
            say(f"  {step}", f"{found / 1e9:.2f} of {declared / 1e9:.2f} GB", f"{found / declared:.2f} (bar 1)")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="trtbuild-benchmark-") as folder:
        measure(Path(folder), sys.argv[1:] or APPLICATIONS)
