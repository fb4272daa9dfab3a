"""Several ways to compute one model, timed in turns: one process each, and while one works the others sleep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from trtbuild.base import errors
from trtbuild.documents.deviation import RuntimeFacts
from trtbuild.workers.child import Child
from trtbuild.workers.process import Death

AGAIN = 0.05  # of the warm-up, before each later round: what others ran in between has emptied the caches


class Round(TypedDict):
    """One round: when it began by the machine's clock, and the durations of its calls in microseconds."""

    start_s: float
    us: list[float]


class NodeTimes(TypedDict):
    """What a runtime's profile says; ``rows`` as trtexec writes them, ``layers`` as the inspector does."""

    times: dict[str, list[float]]
    op_types: dict[str, str]
    kernels: dict[str, int]
    rows: list[dict[str, object]]
    layers: dict[str, object]


@dataclass(frozen=True)
class Samples:
    """``rounds``: durations of consecutive calls in microseconds, round by round; ``starts_s`` since the first one."""

    about: RuntimeFacts
    rounds: tuple[tuple[float, ...], ...]
    starts_s: tuple[float, ...]


class Contender:
    """One process with one session, which says what it has loaded and then does as it is told (jobs/contender.py).

    Processes, not sessions of one process: thread pools of TensorFlow and ONNX Runtime spin for work, and two pools
    on the same cores slow one another down.
    """

    def __init__(
        self, name: str, folder: Path, params: Mapping[str, object], inputs: Mapping[str, Path], root: str
    ) -> None:
        self.name = name
        self._child = Child(
            "workers.jobs.contender", params, inputs, folder=folder, workspace=Path(root), environment=os.environ,
            own_log=False, where=name,
        )  # fmt: skip

    def loaded(self) -> RuntimeFacts:
        """What it has loaded, once it has.

        Raises:
            TrtbuildError: what the process reports, or WorkerDied when it reports nothing.
        """
        about: RuntimeFacts = self._checked(self._child.answer())
        return about

    def measure(self, warmup_s: float, seconds: float) -> Round:
        times: Round = self._checked(self._child.ask({"do": "measure", "warmup_s": warmup_s, "seconds": seconds}))
        return times

    def profile(self, seconds: float) -> NodeTimes:
        profile: NodeTimes = self._checked(self._child.ask({"do": "profile", "seconds": seconds}))
        return profile

    def _checked(self, said: Any) -> Any:
        if isinstance(said, Death):
            raise said.error(self.name)
        return said

    def stop(self) -> None:
        self._child.stop()


def order(names: Sequence[str], rounds: int) -> Iterator[list[str]]:
    """Names for each round, every other round backwards (ABBA): a steady drift falls on all alike.

    >>> list(order(["a", "b"], 3))
    [['a', 'b'], ['b', 'a'], ['a', 'b']]
    """
    for i in range(rounds):
        yield list(names) if i % 2 == 0 else list(reversed(names))


def measure(
    contenders: Mapping[str, Contender], *, warmup_s: float, seconds: float, rounds: int
) -> tuple[dict[str, Samples], dict[str, errors.ModelError]]:
    """Load them all, then time them in interleaved rounds; one that its runtime cannot run is left out, with why.

    Each is timed for ``seconds`` in all: a round is shorter by what calls took beyond the rounds before.

    Raises:
        ConfigError, PlaceError: what the user has to mend; no number would be worth anything.
    """
    about, failed = _load(contenders)
    taken: dict[str, list[tuple[float, list[float]]]] = {name: [] for name in about}
    for i, names in enumerate(order(list(about), rounds)):
        for name in names:
            if name in failed:
                continue
            warmup = warmup_s if i == 0 else AGAIN * warmup_s
            spent = sum(sum(us) for _, us in taken[name]) / 1e6
            try:
                answer = contenders[name].measure(warmup, seconds * (i + 1) / rounds - spent)
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


def _load(contenders: Mapping[str, Contender]) -> tuple[dict[str, RuntimeFacts], dict[str, errors.ModelError]]:
    """Wait until every process has its session: nobody is timed while another one still loads."""
    about: dict[str, RuntimeFacts] = {}
    failed: dict[str, errors.ModelError] = {}
    for name, contender in contenders.items():
        try:
            about[name] = contender.loaded()
        except errors.ModelError as error:
            failed[name] = error
    return about, failed
