"""One file for each place to run a step: ``start`` a prepared sandbox, ``wait`` for the next one to end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trtbuild.core.step import Step


@dataclass(frozen=True)
class Completion:
    """How a step's process ended: ``returncode`` is negative for a signal, as in subprocess.

    ``exceeded``: the limit for which it was stopped, in words.
    """

    step: Step
    sandbox: Path
    returncode: int
    exceeded: str = ""


class Executor(Protocol):
    def free(self, step: Step) -> bool:
        """Whether a slot for this step is free now."""
        ...

    def start(self, step: Step, sandbox: Path, interpreter: Path) -> None: ...

    def wait(self, timeout_s: float | None) -> Completion | None:
        """The next step to end; None when ``timeout_s`` passed first."""
        ...

    def stop(self) -> None:
        """Kill everything that runs, with its whole process group."""
        ...
