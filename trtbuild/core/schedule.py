"""What may start now: a pure state machine over a plan (ready, running, done, failed, blocked)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from trtbuild.core.step import Step

State = Literal["waiting", "running", "done", "failed", "blocked"]


class Schedule:
    """Told what started and how it ended; answers what is ready, in plan order."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = {step.key: step for step in steps}
        self._state: dict[str, State] = dict.fromkeys(self._steps, "waiting")

    def ready(self) -> list[Step]:
        """Waiting steps all of whose upstream steps are done."""
        return [
            step
            for key, step in self._steps.items()
            if self._state[key] == "waiting" and all(self._state[up.key] == "done" for up in step.upstream)
        ]

    def started(self, step: Step) -> None:
        self._state[step.key] = "running"

    def finished(self, step: Step, *, ok: bool) -> list[Step]:
        """Record an end; a failure blocks everything downstream, which is returned."""
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


def fits(step: Step, running: Sequence[Step], slots: int) -> bool:
    """Whether a step may start beside those that run: one that measures has the machine to itself.

    It starts when the machine is empty, so in a sweep after the steps that are ready with it.  It cannot starve: a
    plan is finite, every other step ends, and nothing it waits for waits for it.  Nor are slots kept empty for it,
    which would idle cores before every measurement instead of once.
    """
    if any(other.slot == "exclusive" for other in running):
        return False
    if step.slot == "gpu" and any(other.slot == "gpu" for other in running):  # two may not fit into its memory
        return False
    return not running if step.slot == "exclusive" else len(running) < slots
