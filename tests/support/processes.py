"""Waiting for processes that must come or go."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

PATIENCE_S = 20.0  # reached only when one does not


def until(condition: Callable[[], bool], limit_s: float = PATIENCE_S) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def gone(pid: object) -> bool:
    """No such process, or one that ended and only waits to be reaped by whoever inherited it."""
    assert isinstance(pid, int)
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
