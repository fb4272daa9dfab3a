"""Pooled worker processes that examine cases: each does many, and one that crashes or hangs loses only its stage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from trtbuild.base.errors import PlaceError
from trtbuild.suite.examination import StageAnswer
from trtbuild.suite.stage import StageName
from trtbuild.suite.worker import environment
from trtbuild.workers.child import Child
from trtbuild.workers.process import Death

START_S = 180.0  # for TensorFlow's import on a busy machine
MOST_WORKERS = 8  # 600 MB each
STAGES: tuple[StageName, ...] = ("exports", "matches")
Answers = dict[StageName, StageAnswer]


def examine_all(
    ids: Sequence[str], root: Path | None, graphs: Path, *, workers: int, limit_s: float,
    done: Callable[[str, Answers], None],
) -> None:  # fmt: skip
    """Examine every case, in up to ``workers`` processes; ``done`` is called for each as it ends, one at a time.

    Raises:
        PlaceError: no worker can be started.
    """
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in ids:
        waiting.put(name)
    lock, stop, failures = threading.Lock(), threading.Event(), []

    def work() -> None:
        with Worker(root, graphs) as worker:
            while not stop.is_set():
                try:
                    name = waiting.get_nowait()
                except Empty:
                    return
                answers = worker.examine(name, limit_s)
                with lock:
                    done(name, answers)

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # handed to the caller's thread
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=guarded, daemon=True) for _ in range(min(workers, len(ids)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # in steps, so that an interrupt is seen
    finally:
        stop.set()
    if failures:
        raise failures[0]


class Worker:
    """One process, started at the first case and again after each that it dies of."""

    def __init__(self, root: Path | None, graphs: Path, interpreter: Path | None = None) -> None:
        self._params = {"root": str(root or ""), "graphs": str(graphs.absolute())}
        self._interpreter = interpreter
        self._child: Child | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop()

    def examine(self, name: str, limit_s: float) -> Answers:
        """What came of each stage; a stage that killed the process has the result "crash" or "timeout"."""
        if self._child is None:
            self._child = self._start()
        answers: Answers = {}
        answer = self._child.ask({"id": name}, limit_s)
        for stage in (*STAGES, STAGES[-1]):  # once more for the end
            if isinstance(answer, Death):
                self._child = None
                answers[stage] = _of_death(answer)
                break
            if answer["stage"] == "end":
                break
            answers[answer.pop("stage")] = answer
            answer = self._child.answer(limit_s)
        return answers

    def _start(self) -> Child:
        child = Child("suite.worker", self._params, interpreter=self._interpreter, environment=environment())
        try:
            ready = child.answer(START_S)
        except BaseException:
            child.stop()
            raise
        if isinstance(ready, Death):
            raise PlaceError(f"a worker of the suite does not start: it {ready}", where="suite")
        return child


def _of_death(death: Death) -> StageAnswer:
    return {"result": "timeout" if death.cause == "time" else "crash", "says": f"the process {death}"}


def workers_for(cores: int, cases: Iterable[object]) -> int:
    """One for each core, and no more than it pays to load TensorFlow for (5 s, against 0.2 s for a case)."""
    worth = max(1, len(list(cases)) // 12)
    return max(1, min(cores, worth, MOST_WORKERS))
