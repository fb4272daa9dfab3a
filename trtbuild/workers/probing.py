"""Asks a TensorRT version whether graphs parse and build: in processes of its own, which may crash and hang.

Standard library only, so that it may run inside a training process.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from trtbuild.base.errors import ToolchainError, error_named
from trtbuild.core.complaint import Complaint
from trtbuild.core.job import Job, read_result, write_job
from trtbuild.workers import hermetic

LIMIT_S = 120.0  # looking for all refused nodes may take 60 of them
Outcome = Literal["ok", "parse", "misread", "build", "crash", "timeout"]


@dataclass(frozen=True)
class Question:
    """``model`` is an ONNX file; ``shapes`` input -> concrete shape; ``profiles`` input -> (min, opt, max) shapes.

    ``every``: look for all refused nodes, not just those that TensorRT names at once.
    """

    model: Path
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    profiles: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    tf32: bool = False
    every: bool = True


@dataclass(frozen=True)
class Answer:
    """``misread``: it takes the graph, but computes something else than that states.

    ``stage`` is where the graph is refused, or what was going on at a crash or at the limit.

    ``words`` are TensorRT's own of the whole graph; ``why`` what they mean where that is known; ``log`` the last lines
    of a process that died; ``warnings`` what it warned of on the way to an engine.
    """

    outcome: Outcome
    stage: str = ""
    complaints: tuple[Complaint, ...] = ()
    words: tuple[str, ...] = ()
    why: str = ""
    seconds: float = 0.0
    log: str = ""
    warnings: tuple[Complaint, ...] = ()


class Prober:
    """One process of a toolchain's interpreter, started at the first question, and again after each that it dies of.

    To be closed, or used in a ``with``; one thread at a time asks it.
    """

    def __init__(
        self, interpreter: Path, flavour: str, version: str,
        *, supported: Sequence[str] = (), limit_s: float = LIMIT_S,
    ) -> None:  # fmt: skip
        self._interpreter = interpreter
        self._params = {"flavour": flavour, "tensorrt": version, "supported": list(supported)}
        self._limit_s = limit_s
        self._running: _Running | None = None
        self._asked = 0  # questions the running process has answered

    def ask(self, question: Question) -> Answer:
        """Raises ToolchainError when the interpreter has not this TensorRT, or has no device where it needs one."""
        answer = self._ask_once(question)
        if answer.outcome == "crash" and self._asked:
            self._asked = 0
            answer = self._ask_once(question)  # in a fresh process: is it of this graph, or of what came before?
        self._asked = self._asked + 1 if self._running else 0
        return answer

    def close(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask_once(self, question: Question) -> Answer:
        if self._running is None:
            self._running = _Running.start(self._interpreter, self._params)
        running, started = self._running, time.monotonic()
        said = running.exchange(asdict(question) | {"model": str(question.model.absolute())}, self._limit_s)
        seconds = time.monotonic() - started
        if isinstance(said, dict):
            return _read(said)
        stage, log = running.stage(), running.log()
        returncode, failure = running.end(), running.failure
        self._running = None
        if said == "timeout":
            words = (f"no answer within {self._limit_s:g} s while {stage or 'starting'}",)
            return Answer("timeout", stage, words=words, seconds=seconds, log=log)
        if failure is not None:
            raise error_named(failure.error)(failure.what, where=failure.where, hint=failure.hint)
        if not stage:
            raise ToolchainError(f"its process ended with {_ending(returncode)}: {log[-300:]}", where="tensorrt")
        words = (f"TensorRT died of {_ending(returncode)} while {stage}",)
        return Answer("crash", stage, words=words, seconds=seconds, log=log)


def ask_all(probers: Sequence[Prober], questions: Iterable[Question]) -> Iterator[Answer]:
    """Answers in the order of the questions; each prober works on one at a time."""
    idle: queue.SimpleQueue[Prober] = queue.SimpleQueue()
    for prober in probers:
        idle.put(prober)

    def ask(question: Question) -> Answer:
        prober = idle.get()
        try:
            return prober.ask(question)
        finally:
            idle.put(prober)

    with ThreadPoolExecutor(len(probers)) as pool:
        yield from pool.map(ask, questions)


def _read(said: Mapping[str, Any]) -> Answer:
    refusal = said["refusal"]
    if refusal is None:
        warnings = tuple(Complaint(**warning) for warning in said["warnings"])
        return Answer("ok", seconds=said["seconds"], warnings=warnings)
    complaints = tuple(Complaint(**complaint) for complaint in refusal["complaints"])
    stage = refusal["stage"]
    return Answer(stage, stage, complaints, tuple(refusal["words"]), refusal["why"], said["seconds"])


def _ending(returncode: int) -> str:
    return signal.Signals(-returncode).name if returncode < 0 else f"status {returncode}"


class _Running:
    """A started process, its folder and its pipes."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], answers: int, lifeline: int) -> None:
        self.folder, self.process, self.answers, self.lifeline = folder, process, answers, lifeline
        self.failure: Any = None
        self._rest = b""

    @classmethod
    def start(cls, interpreter: Path, params: Mapping[str, Any]) -> _Running:
        folder = Path(tempfile.mkdtemp(prefix="trtbuild-probe-"))
        answers, theirs = os.pipe()
        watch, lifeline = os.pipe()
        try:
            (folder / "out").mkdir()
            write_job(folder, Job("_probe", {**params, "answers": theirs}, {}, "out", str(folder)))
            with (folder / "log.txt").open("wb") as log:
                process = subprocess.Popen(
                    [str(interpreter), "-s", str(hermetic.WORKER), str(folder), str(watch)],
                    cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                    pass_fds=[theirs, watch], start_new_session=True, env=hermetic.environment(),
                )  # fmt: skip
        except BaseException:
            os.close(answers)
            os.close(lifeline)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            os.close(theirs)
            os.close(watch)
        return cls(folder, process, answers, lifeline)

    def exchange(self, question: Mapping[str, Any], limit_s: float) -> dict[str, Any] | Literal["timeout", "dead"]:
        (self.folder / "stage").unlink(missing_ok=True)
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return "dead"
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            if not select.select([self.answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return "timeout"
            read = os.read(self.answers, 65536)
            if not read:
                return "dead"
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said

    def stage(self) -> str:
        try:
            return (self.folder / "stage").read_text("utf-8")
        except OSError:
            return ""

    def log(self) -> str:
        return (self.folder / "log.txt").read_bytes()[-4000:].decode("utf-8", "replace")

    def end(self) -> int:
        """The return code; of a process that lives still, that of killing it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0 if select.select([self.answers], [], [], 0)[0] == [] else 1.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        returncode = self.process.wait()
        result = read_result(self.folder)
        self.failure = None if result is None else result.failure
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        os.close(self.answers)
        os.close(self.lifeline)
        shutil.rmtree(self.folder, ignore_errors=True)
        return returncode
