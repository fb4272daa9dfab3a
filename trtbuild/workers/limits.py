"""Limits of a running step: its time, the memory of all of its processes together, the size of its log."""

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
        """Which limit a step has exceeded that runs since this time (monotonic), in words; "" if none.

        ``pid``: its process, 0 while it has none.
        """
        allowed_s = self.time_s if self.time_s is not None else memory.time_limit_s(step)
        if time.monotonic() - since > allowed_s:
            return f"ran for over {_shown(allowed_s)}, its executor.time_limit"
        allowed = self.memory_bytes if self.memory_bytes is not None else memory.memory_limit_bytes(step)
        if pid and memory_of(pid) > allowed and (taken := memory_of(pid, shares=True)) > allowed:
            return f"took {taken / 1e9:.2f} GB, over its executor.memory_limit of {allowed / 1e9:.2f} GB"
        return ""


def _shown(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def memory_of(pid: int, *, shares: bool = False) -> int:
    """Bytes that a process and all that it started hold, without those that a file holds.

    Args:
        shares: whether memory that forks share counts once, which takes 10 ms for each process; else it counts for
            each, which is never less.
    """
    parents: dict[int, list[int]] = {}
    for process, parent in _processes():
        parents.setdefault(parent, []).append(process)
    total, pending = 0, [pid]
    while pending:
        one = pending.pop()
        pending += parents.get(one, [])
        with contextlib.suppress(OSError):
            total += (_share_of(one) if shares else None) or _resident(one)
    return total


def _resident(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    return (int(fields[1]) - int(fields[2])) * _PAGE


def _share_of(pid: int) -> int | None:
    """Pages of its own, and its share of those that it has in common with others; None where the kernel cannot say."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:")), None)
    return None


def _processes() -> Iterator[tuple[int, int]]:
    """Every process, and its parent."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                    stat = file.read()
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
