"""Which steps can start: a pure state machine over a plan (waiting, running, done, failed, blocked)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trtbuild.core.step import Step

State = Literal["waiting", "running", "done", "failed", "blocked"]


class Schedule:
    """Records what started and how it ended, and says which steps are ready.

    What a step's end costs depends on the steps that read from it, not on the size of the plan.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = {step.key: step for step in steps}
        self._place = _places(self._steps)
        self._state: dict[str, State] = dict.fromkeys(self._steps, "waiting")
        self._count = Counter[State](self._state.values())
        self._readers: dict[str, list[str]] = {key: [] for key in self._steps}
        self._missing: dict[str, set[str]] = {}  # upstream steps that are not done
        for key, step in self._steps.items():
            self._missing[key] = {up.key for up in step.upstream}
            for up in self._missing[key]:
                self._readers[up].append(key)
        self._ready = sorted((key for key in self._steps if not self._missing[key]), key=self._place.__getitem__)

    def ready(self) -> list[Step]:
        """Waiting steps all of whose upstream steps are done, by when the first step that reads from them comes.

        So what has most steps behind it comes first within a variant, and variants come in the plan's order.  Steps
        that measure come last: they need the machine to themselves, and keep no other variant from its verdict.
        """
        return [self._steps[key] for key in self._ready]

    def started(self, step: Step) -> None:
        self._set(step.key, "running")

    def finished(self, step: Step, *, ok: bool) -> list[Step]:
        """Record how a step ended; a failure blocks everything downstream.  Returns the blocked steps."""
        self._set(step.key, "done" if ok else "failed")
        if not ok:
            return self._block(step.key)
        for key in self._readers[step.key]:
            self._missing[key].discard(step.key)
            if not self._missing[key] and self._state[key] == "waiting":
                insort(self._ready, key, key=self._place.__getitem__)
        return []

    def _block(self, failed: str) -> list[Step]:
        """Block every waiting step downstream; returns them in plan order."""
        blocked, left = [], [failed]
        while left:
            for key in self._readers[left.pop()]:
                if self._state[key] == "waiting":
                    self._set(key, "blocked")
                    blocked.append(key)
                    left.append(key)
        return [self._steps[key] for key in sorted(blocked, key=lambda key: self._place[key][-1])]

    def _set(self, key: str, state: State) -> None:
        if self._state[key] == "waiting" and not self._missing[key]:
            del self._ready[bisect_left(self._ready, self._place[key], key=self._place.__getitem__)]
        self._count[self._state[key]] -= 1
        self._count[state] += 1
        self._state[key] = state

    @property
    def running(self) -> int:
        return self._count["running"]

    @property
    def over(self) -> bool:
        return not self._count["waiting"] and not self._count["running"]

    def state(self, step: Step) -> State:
        return self._state[step.key]


def _places(steps: Mapping[str, Step]) -> dict[str, tuple[bool, int, int]]:
    """Of each step: whether it measures, the place in the plan of its first reader (or else its own), its own."""
    first = {key: i for i, key in enumerate(steps)}
    own = dict(first)
    for i, step in reversed(list(enumerate(steps.values()))):
        for up in step.upstream:
            first[up.key] = i
    return {key: (step.slot == "exclusive", first[key], own[key]) for key, step in steps.items()}


@dataclass(frozen=True)
class Resources:
    """What running steps share: ``cpus`` of them at once, within ``memory_bytes`` by their own estimates."""

    cpus: int
    memory_bytes: int


def fits(step: Step, running: Sequence[Step], resources: Resources) -> bool:
    """Whether a step can start beside those that are running.

    ``exclusive``: it measures, and has the machine to itself.  ``gpu-exclusive``: it measures on the GPU (TensorRT
    times kernels while it builds) or may fill the GPU's memory, and has the GPU to itself.  ``gpu``: it uses the GPU
    beside others.  A step that needs more memory than there is runs alone.

    No step starves: a plan is finite, every other step ends, and nothing a step waits for waits for it.  No slots are
    kept free for an exclusive step either: that would idle cores before every measurement instead of once.
    """
    if not running:
        return True
    if len(running) >= resources.cpus:
        return False
    slots = {other.slot for other in running} | {step.slot}
    if "exclusive" in slots:
        return False
    if step.memory_bytes + sum(other.memory_bytes for other in running) > resources.memory_bytes:
        return False
    beside = [other.slot for other in running if other.slot != "cpu"]
    return not beside or step.slot == "cpu" or (step.slot == "gpu" and "gpu-exclusive" not in beside)
