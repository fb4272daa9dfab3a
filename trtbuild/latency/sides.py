"""Several ways to compute one model, timed in turns: a process for each, of which one works and the others sleep."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtbuild.base import errors
from trtbuild.core.job import Job, read_result, write_job

WORKER = Path(__file__).resolve().parents[1] / "workers" / "run.py"


@dataclass(frozen=True)
class Samples:
    """``rounds``: durations of consecutive calls in microseconds, round by round; ``starts_s`` since the first one."""

    about: Mapping[str, Any]
    rounds: tuple[tuple[float, ...], ...]
    starts_s: tuple[float, ...]


class Side:
    """One process with one session, told what to do line by line (workers/jobs/side.py).

    Processes, not sessions of one process: thread pools of TensorFlow and ONNX Runtime spin for work, and two pools
    on the same cores slow one another down.
    """

    def __init__(self, name: str, folder: Path, params: Mapping[str, Any], inputs: Mapping[str, Path], root: str):
        self.name, self.folder = name, folder
        (folder / "out").mkdir(parents=True)
        paths = {key: os.path.abspath(path) for key, path in inputs.items()}
        answers, theirs = os.pipe()
        try:
            write_job(folder, Job("_side", {**params, "answers": theirs}, paths, "out", os.path.abspath(root)))
            argv = [sys.executable, "-s", str(WORKER), os.path.abspath(folder)]
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=[theirs])
        finally:
            os.close(theirs)
        self._answers = os.fdopen(answers, encoding="utf-8")

    def answer(self) -> Any:
        """Its next answer.

        Raises:
            TrtbuildError: what the process said went wrong, or WorkerDied when it said nothing.
        """
        line = self._answers.readline()
        if line:
            return json.loads(line)
        code = self._process.wait()
        result = read_result(self.folder)
        if result is None or result.failure is None:
            how = f"died: {signal.Signals(-code).name}" if code < 0 else f"ended with status {code} and no answer"
            raise errors.WorkerDied(how, where=self.name)
        failure = result.failure
        kind = errors.error_named(failure.error)
        said = failure.what if kind is not errors.TrtbuildError else f"{failure.error}: {failure.what}"
        raise kind(said, where=failure.where, hint=failure.hint, details=failure.details)

    def ask(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: its answer says of what
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._answers.close()

    def kill(self) -> None:
        self._process.kill()
        self.close()


def order(names: Sequence[str], rounds: int) -> Iterator[list[str]]:
    """Names for each round, every other round backwards (ABBA): a steady drift falls on all sides alike.

    >>> list(order(["a", "b"], 3))
    [['a', 'b'], ['b', 'a'], ['a', 'b']]
    """
    for i in range(rounds):
        yield list(names) if i % 2 == 0 else list(reversed(names))


def measure(
    sides: Mapping[str, Side], *, warmup_s: float, seconds: float, rounds: int
) -> tuple[dict[str, Samples], dict[str, errors.ModelError]]:
    """Load all sides, then time them in interleaved rounds; a side that its runtime cannot run is left out, with why.

    Raises:
        ConfigError, PlaceError: what the user has to mend; no number would be worth anything.
    """
    about, failed = _load(sides)
    taken: dict[str, list[tuple[float, list[float]]]] = {name: [] for name in about}
    for i, names in enumerate(order(list(about), rounds)):
        for name in names:
            if name in failed:
                continue
            warmup = warmup_s if i == 0 else warmup_s / rounds
            try:
                answer = sides[name].ask(do="measure", warmup_s=warmup, seconds=seconds / rounds)
                taken[name].append((answer["start_s"], answer["us"]))
            except errors.ModelError as error:
                failed[name] = error
    good = {name: entries for name, entries in taken.items() if name not in failed}
    zero = min((start for entries in good.values() for start, _ in entries), default=0.0)
    measured = {
        name: Samples(
            about[name],
            tuple(tuple(us) for _, us in entries),
            tuple(round(start - zero, 6) for start, _ in entries),
        )
        for name, entries in good.items()
    }
    return measured, failed


def _load(sides: Mapping[str, Side]) -> tuple[dict[str, Mapping[str, Any]], dict[str, errors.ModelError]]:
    """Wait until every process has its session: nobody is timed while another one still loads."""
    about, failed = {}, {}
    for name, side in sides.items():
        try:
            about[name] = side.answer()
        except errors.ModelError as error:
            failed[name] = error
    return about, failed
