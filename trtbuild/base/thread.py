"""Functions in a thread of their own: one that is waited for, and many that are not."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

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


class Beside:
    """Calls that are made one after another in one thread, beside what this one does."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._calls: list[Future[Any]] = []

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1)
        self._calls.append(self._pool.submit(function, *arguments))

    def finish(self) -> None:
        """Wait until all of them have been made; raises the first error of any."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.exception()
        for call in calls:
            call.result()
