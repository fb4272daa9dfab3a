"""Pooled worker processes that examine cases: each does many, and one that crashes or hangs loses only its stage."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from trtbuild.base.errors import PlaceError

START_S = 180.0  # for TensorFlow's import on a busy machine
MOST_WORKERS = 8  # 600 MB each
STAGES = ("exports", "matches")
Answers = dict[str, dict[str, Any]]  # stage -> what came of it
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}


def examine_all(
    ids: Sequence[str], root: Path | None, graphs: Path, *, workers: int, limit_s: float,
    done: Callable[[str, Answers], None],
) -> None:  # fmt: skip
    """Examine every case, in up to ``workers`` processes; ``done`` is told of each as it ends, one at a time.

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

    def __init__(self, root: Path | None, graphs: Path, command: Sequence[str] = ()) -> None:
        self._words = list(command) or [sys.executable, "-m", "trtbuild.suite.worker"]
        self._arguments = [str(root or ""), str(graphs)]
        self._log = graphs.parent / f"worker-{os.getpid()}-{id(self):x}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe, self._lifeline, self._rest = -1, -1, b""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._log.unlink(missing_ok=True)

    def examine(self, name: str, limit_s: float) -> Answers:
        """What came of each stage; a stage that killed the process has the verdict "crash" or "timeout"."""
        if self._process is None:
            self._start()
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"id": name}).encode() + b"\n")
            self._process.stdin.flush()
        answers: Answers = {}
        for stage in (*STAGES, "end"):
            answer = self._read(limit_s)
            if not isinstance(answer, dict):
                answers[stage if stage != "end" else STAGES[-1]] = self._died(answer, limit_s)
                return answers
            if answer["stage"] == "end":
                return answers
            answers[answer.pop("stage")] = answer
        return answers

    def _start(self) -> None:
        read, write = os.pipe()
        watch, self._lifeline = os.pipe()
        package = Path(__file__).resolve().parents[2]
        known = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._words, str(write), str(watch), *self._arguments], stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT, pass_fds=[write, watch], start_new_session=True, cwd=self._log.parent,
                env={**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(known)},
            )  # fmt: skip
        os.close(write)
        os.close(watch)
        self._pipe, self._rest = read, b""
        ready = self._read(START_S)
        if not isinstance(ready, dict):
            said = self._last_words()
            self._end()
            raise PlaceError(f"a worker of the suite does not start: {said}", where="suite")

    def _read(self, limit_s: float) -> dict[str, Any] | str:
        """The next answer; "crash" when the pipe closes, "timeout" when nothing comes."""
        end = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
                return "timeout"
            chunk = os.read(self._pipe, 1 << 16)
            if not chunk:
                return "crash"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self, how: str, limit_s: float) -> dict[str, Any]:
        words = self._last_words()
        code = self._end()
        if how == "timeout":
            return {"verdict": how, "says": f"no answer within {limit_s:g} s"}
        try:
            died = f"the process died of {signal.Signals(-code).name}"
        except ValueError:
            died = f"the process ended with status {code}"
        return {"verdict": how, "says": f"{died}: {words}" if words else died}

    def _last_words(self) -> str:
        """The last line of the log that is not a frame of a stack."""
        with contextlib.suppress(OSError):
            lines = self._log.read_text("utf-8", errors="replace").splitlines()
            told = [line.strip() for line in lines if line.strip() and not line.startswith(("==", " ", "\t"))]
            return told[-1][:300] if told else ""
        return ""

    def _end(self) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if process.poll() is None and self._pipe_is_quiet():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        os.close(self._pipe)
        os.close(self._lifeline)  # which also ends what is left of its group
        return process.wait()

    def _pipe_is_quiet(self) -> bool:
        """Whether the process still holds the pipe: one that has died on its own is left to say how."""
        ready, _, _ = select.select([self._pipe], [], [], 0)
        return not (ready and os.read(self._pipe, 1) == b"")


def workers_for(cores: int, cases: Iterable[object]) -> int:
    """One for each core, and no more than it pays to load TensorFlow for (5 s, against 0.2 s for a case)."""
    worth = max(1, len(list(cases)) // 12)
    return max(1, min(cores, worth, MOST_WORKERS))
