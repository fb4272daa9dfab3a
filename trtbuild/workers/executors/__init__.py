"""One file for each place to run a step: ``start`` a prepared sandbox, ``wait`` for the next one to end.

Each has ``make(spec, site)``, which makes the executor of one build.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trtbuild.base.errors import TrtbuildError
from trtbuild.core.step import Step
from trtbuild.store import Store

Interpreter = Callable[[Step], Path]  # the Python of this machine that a step runs in


@dataclass(frozen=True)
class Site:
    """The build that an executor works for: its store, and who is told what people should know."""

    store: Store
    note: Callable[[str], None]


@dataclass(frozen=True)
class Completion:
    """How a step's process ended: ``returncode`` is negative for a signal, as in subprocess.

    ``exceeded``: the limit for which it was stopped, in words.  ``error``: why it did not run to an end.  ``recorded``:
    the cache has its outputs and the run cache its record; nothing is in the sandbox.
    """

    step: Step
    sandbox: Path
    returncode: int
    exceeded: str = ""
    error: TrtbuildError | None = None
    recorded: bool = False


@dataclass(frozen=True)
class Beginning:
    """A queued step runs now, on the machine ``where``."""

    step: Step
    where: str


class Executor(Protocol):
    def free(self, step: Step) -> bool:
        """Whether it takes this step now."""
        ...

    def start(self, step: Step, sandbox: Path, interpreter: Interpreter) -> bool:
        """Start it, or queue it; returns whether it runs already, else a :class:`Beginning` follows."""
        ...

    def wait(self, timeout_s: float | None) -> Completion | Beginning | None:
        """The next step to end or to begin; None when ``timeout_s`` passed first."""
        ...

    def stop(self) -> None:
        """Kill everything that runs, with its whole process group."""
        ...
