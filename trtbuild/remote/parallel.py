"""Work on many items by a few threads, which nobody waits for after an interrupt."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_parallel(jobs: int, items: Iterable[T], work: Callable[[T], None]) -> Generator[bool, None, None]:
    """Yields False for every finished item, and True each second in which none finishes; raises the first error."""
    todo, lock = iter(items), threading.Lock()
    events: queue.SimpleQueue[BaseException | str] = queue.SimpleQueue()
    stopped = threading.Event()

    def worker() -> None:
        try:
            while not stopped.is_set():
                with lock:
                    item = next(todo, None)
                if item is None:
                    break
                work(item)
                events.put("item")
            events.put("end")
        except BaseException as error:
            stopped.set()
            events.put(error)

    for _ in range(jobs):
        threading.Thread(target=worker, daemon=True).start()
    try:
        while jobs:
            try:
                event = events.get(timeout=1.0)
            except queue.Empty:
                yield True
                continue
            if isinstance(event, BaseException):
                raise event
            jobs -= event == "end"
            yield False
    finally:
        stopped.set()
