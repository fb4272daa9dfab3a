"""Limits of a running step: its time, the memory of all of its processes together, and the size of its log."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trtbuild.core import memory
from trtbuild.core.step import Step

LOG_BYTES = 32 << 20  # of a log; of a longer one, the end is kept
_KEPT_BYTES = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Limits:
    """For each step; None: by its estimate (core/memory.py)."""

    time_s: float | None = None
    memory_bytes: int | None = None

    def exceeded(self, step: Step, pid: int, since: float) -> str:
        """Which limit a step has exceeded that runs since this time (monotonic), in words; "" if none."""
        allowed_s = self.time_s if self.time_s is not None else memory.time_limit_s(step)
        if time.monotonic() - since > allowed_s:
            return f"ran for over {_shown(allowed_s)}, its executor.time_limit"
        allowed = self.memory_bytes if self.memory_bytes is not None else memory.memory_limit_bytes(step)
        if (taken := memory_of(pid)) > allowed:
            return f"took {taken / 1e9:.2f} GB, over its executor.memory_limit of {allowed / 1e9:.2f} GB"
        return ""


def _shown(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def memory_of(pid: int) -> int:
    """Bytes that a process and all that it started hold and no file does; of what it shares with others, its share."""
    parents: dict[int, list[int]] = {}
    for process, parent in _processes():
        parents.setdefault(parent, []).append(process)
    total, pending = 0, [pid]
    while pending:
        one = pending.pop()
        pending += parents.get(one, [])
        with contextlib.suppress(OSError):
            total += _memory_of_one(one)
    return total


def _memory_of_one(pid: int) -> int:
    with contextlib.suppress(OSError, StopIteration), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        # Proportional: a fork shares the pages of what forked it until it writes to them.
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))
    fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    return (int(fields[1]) - int(fields[2])) * _PAGE


def _processes() -> Iterator[tuple[int, int]]:
    """Every process, and its parent."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{name}/stat").read_bytes()
                yield int(name), int(stat.rpartition(b")")[2].split()[1])


def shorten(log: Path) -> None:
    """Keep the end of a log that has grown too long; whoever writes appends to what is there."""
    with contextlib.suppress(OSError):
        size = log.stat().st_size
        if size > LOG_BYTES:
            with log.open("r+b") as file:
                file.seek(size - _KEPT_BYTES)
                end = file.read(_KEPT_BYTES)
                file.truncate(0)
            with log.open("ab") as file:
                file.write(b"[%d bytes left out]\n" % (size - len(end)) + end)
