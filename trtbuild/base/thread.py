"""Run a function in its own thread and wait for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T], blocked: Iterable[signal.Signals] = ()) -> T:
    """Run ``work`` in a new thread; returns what it returns, and raises what it raises.

    Args:
        blocked: signals that the thread, and all threads and processes that start from it, do not see.
    """
    done: list[T] = []
    raised: list[BaseException] = []

    def target() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            done.append(work())
        except BaseException as error:  # any error is raised again in the caller's thread
            raised.append(error)

    thread = Thread(target=target, daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return done[0]
