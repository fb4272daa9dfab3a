"""Which steps can start: a pure state machine over a plan (waiting, running, done, failed, blocked)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from trtbuild.core.step import Step

State = Literal["waiting", "running", "done", "failed", "blocked"]


class Schedule:
    """Records what started and how it ended, and says which steps are ready."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = {step.key: step for step in steps}
        self._state: dict[str, State] = dict.fromkeys(self._steps, "waiting")

    def ready(self) -> list[Step]:
        """Waiting steps all of whose upstream steps are done, in plan order; those that measure come last.

        So a measurement, which needs the machine to itself, does not keep other variants waiting for their verdict.
        """
        ready = [
            step
            for key, step in self._steps.items()
            if self._state[key] == "waiting" and all(self._state[up.key] == "done" for up in step.upstream)
        ]
        return sorted(ready, key=lambda step: step.slot == "exclusive")

    def started(self, step: Step) -> None:
        self._state[step.key] = "running"

    def finished(self, step: Step, *, ok: bool) -> list[Step]:
        """Record how a step ended; a failure blocks everything downstream.  Returns the blocked steps."""
        self._state[step.key] = "done" if ok else "failed"
        blocked: list[Step] = []
        if not ok:
            for key, other in self._steps.items():  # plan order: upstream first, so one pass is enough
                dead = any(self._state[up.key] in ("failed", "blocked") for up in other.upstream)
                if self._state[key] == "waiting" and dead:
                    self._state[key] = "blocked"
                    blocked.append(other)
        return blocked

    @property
    def running(self) -> int:
        return sum(state == "running" for state in self._state.values())

    @property
    def over(self) -> bool:
        return not any(state in ("waiting", "running") for state in self._state.values())

    def state(self, step: Step) -> State:
        return self._state[step.key]


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
    slots = {other.slot for other in running} | {step.slot}
    if "exclusive" in slots or len(running) >= resources.cpus:
        return False
    if step.memory_bytes + sum(other.memory_bytes for other in running) > resources.memory_bytes:
        return False
    beside = [other.slot for other in running if other.slot != "cpu"]
    return not beside or step.slot == "cpu" or (step.slot == "gpu" and "gpu-exclusive" not in beside)
