"""Run a function in its own thread and wait for it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread; returns what it returns, and raises what it raises."""
    done: list[T] = []
    raised: list[BaseException] = []

    def target() -> None:
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
