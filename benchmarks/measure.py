"""Wall time and peak memory of a command with all its children, and how a result is printed."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.02


@dataclass(frozen=True)
class Measured:
    seconds: float
    peak_bytes: int  # resident memory of the whole process tree, polled
    output: str  # stdout and stderr


def run(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None, allowed: tuple[int, ...] = (0, 1)
) -> Measured:
    """Run to the end; a failing command ends the benchmark with its output."""
    import psutil

    started = time.perf_counter()
    process = subprocess.Popen(
        argv, cwd=cwd, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    peak = 0

    def watch() -> None:
        nonlocal peak
        root = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                tree = [root, *root.children(recursive=True)]
                peak = max(peak, sum(_resident(p) for p in tree))
            except psutil.NoSuchProcess:
                return
            time.sleep(POLL_S)

    def _resident(p: psutil.Process) -> int:
        try:
            return int(p.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    watcher = threading.Thread(target=watch)
    watcher.start()
    said = process.communicate()[0]
    seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode not in allowed:
        raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}:\n{said}")
    return Measured(seconds, peak, said)


def say(what: str, measured: str, against: str) -> None:
    """One line of a benchmark: ``against`` is its ratio or bar."""
    print(f"{what:<40} {measured:<44} {against}", flush=True)
