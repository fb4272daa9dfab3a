"""Work in a thread whose allocations come from an arena of their own, so that addresses hang on that work alone."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_fresh_heap(work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread, whose allocations come from an arena of their own (glibc malloc).

    A plan's bytes depend on addresses (see executors/hermetic.py); the main heap's state depends on everything that
    Python did before, down to which modules came from a bytecode cache.
    """
    result: list[T] = []
    raised: list[BaseException] = []

    def target() -> None:
        try:
            result.append(work())
        except BaseException as error:  # handed to the caller's thread, whatever it is
            raised.append(error)

    thread = Thread(target=target)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return result[0]
