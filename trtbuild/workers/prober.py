"""Asks a TensorRT version whether graphs parse and build, in separate processes that may crash and hang.

Standard library only, so that it may run inside a training process.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from trtbuild.base.errors import ToolchainError
from trtbuild.core.complaint import Complaint, RefusalStage
from trtbuild.workers import hermetic
from trtbuild.workers.child import Child
from trtbuild.workers.process import Death

LIMIT_S = 120.0  # looking for all refused nodes may take 60 of them
Profiles = Mapping[str, Sequence[Sequence[int]]]  # input -> its (min, opt, max) shapes
Outcome = Literal["ok", "parse", "misread", "build", "crash", "timeout"]


@dataclass(frozen=True)
class Question:
    """``model`` is an ONNX file; ``shapes`` input -> concrete shape; ``profiles`` input -> (min, opt, max) shapes.

    ``every``: look for all refused nodes, not just those that TensorRT names at once.
    """

    model: Path
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    profiles: Profiles = field(default_factory=dict)
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


class ProbeQuestion(TypedDict):
    """A :class:`Question` as JSON."""

    model: str
    shapes: dict[str, list[int]]
    profiles: dict[str, list[list[int]]]
    tf32: bool
    every: bool


class ComplaintReply(TypedDict):
    node: str
    op_type: str
    stage: RefusalStage
    words: str


class RefusalReply(TypedDict):
    stage: RefusalStage
    complaints: list[ComplaintReply]
    words: list[str]
    why: str


class ProbeReply(TypedDict):
    """``warnings`` are complaints, too, on the way to an engine."""

    refusal: RefusalReply | None
    warnings: list[ComplaintReply]
    seconds: float


class Prober:
    """One process of a toolchain's interpreter, started at the first question, and again after each that it dies of.

    To be closed, or used in a ``with``; one thread at a time asks it.
    """

    def __init__(
        self, interpreter: Path, flavour: str, version: str,
        *, supported: Sequence[str] = (), limit_s: float = LIMIT_S, compute_capabilities: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._interpreter = interpreter
        self._params = {
            "flavour": flavour, "tensorrt": version, "supported": list(supported),
            "compute_capabilities": list(compute_capabilities),
        }  # fmt: skip
        self._limit_s = limit_s
        self._child: Child | None = None
        self._answered = 0  # questions, by the running process

    def ask(self, question: Question) -> Answer:
        """Raises ToolchainError when the interpreter lacks this TensorRT, or TensorRT lacks a device that it needs."""
        answer = self._ask_once(question)
        if answer.outcome == "crash" and self._answered:
            self._answered = 0
            answer = self._ask_once(question)  # in a fresh process: is it of this graph, or of what came before?
        self._answered = self._answered + 1 if self._child else 0
        return answer

    def close(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask_once(self, question: Question) -> Answer:
        started = time.monotonic()
        if self._child is None:
            environment = hermetic.environment()
            self._child = Child(
                "workers.jobs.probe", self._params, interpreter=self._interpreter, environment=environment
            )
        child, self._child = self._child, None
        try:
            said = child.ask(asdict(question) | {"model": str(question.model.absolute())}, self._limit_s)
        except BaseException:
            child.stop()
            raise
        if isinstance(said, Death):
            return _of_death(said, time.monotonic() - started)
        self._child = child
        return _read(said)


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


def _read(said: ProbeReply) -> Answer:
    refusal = said["refusal"]
    if refusal is None:
        warnings = tuple(Complaint(**warning) for warning in said["warnings"])
        return Answer("ok", seconds=said["seconds"], warnings=warnings)
    complaints = tuple(Complaint(**complaint) for complaint in refusal["complaints"])
    stage = refusal["stage"]
    return Answer(stage, stage, complaints, tuple(refusal["words"]), refusal["why"], said["seconds"])


def _of_death(death: Death, seconds: float) -> Answer:
    if death.cause == "time":
        stage = death.stage or "starting"
        words = (f"{death.how} while {stage}",)
        return Answer("timeout", stage, words=words, seconds=seconds, log=death.log)
    if not death.stage:
        raise ToolchainError(f"its process {death}", where="tensorrt")
    words = (f"TensorRT {death.how} while {death.stage}",)
    return Answer("crash", death.stage, words=words, seconds=seconds, log=death.log)
