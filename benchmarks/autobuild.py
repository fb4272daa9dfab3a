"""Steps run one after another in this process: for thousands of small engines, each of which a build would start apart.

Each step's own ``run`` makes its artifacts from its own parameters and inputs; only processes, sandboxes and records
are left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from trtbuild.base.errors import TrtbuildError
from trtbuild.building.planned import Planned
from trtbuild.building.states import Outcome
from trtbuild.core.job import Job
from trtbuild.core.step import Step


@dataclass
class InProcess:
    """``ran``: how many steps of each kind were run; what is there is not made again."""

    root: Path
    ran: Counter[str] = field(default_factory=Counter)
    failures: dict[str, TrtbuildError] = field(default_factory=dict)

    def __call__(self, p: Planned) -> Outcome:
        outcome = Outcome()
        for step in p.plan.steps:
            if any(one.key in outcome.failures or outcome.steps[one.key] == "blocked" for one in step.upstream):
                outcome.steps[step.key] = "blocked"
            elif (failure := self.failure(step)) is not None:
                outcome.steps[step.key], outcome.failures[step.key] = "failed", failure
            else:
                outcome.steps[step.key] = "ran"
        return outcome

    def failure(self, step: Step) -> TrtbuildError | None:
        """Run one step, unless it ran before; why it fails."""
        folder = self.root / step.folder
        if step.key in self.failures:
            return self.failures[step.key]
        if folder.is_dir():
            return None
        self.ran[step.kind] += 1
        partial = self.root / ".trtbuild" / "now" / "out"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        inputs = {name: str(self.root / source.path) for name, source in step.inputs.items()}
        job = Job(step.kind, step.params, inputs, str(partial), str(self.root))
        try:
            with _output_in(partial.with_name("log.txt")):
                import_module(f"trtbuild.steps.{step.kind}").run(job)
        except TrtbuildError as error:
            self.failures[step.key] = error
            return error
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder)
        return None


@contextlib.contextmanager
def _output_in(log: Path) -> Iterator[None]:
    """What Python and the compiler print goes there, as that of a step's own process does."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in zip((1, 2), kept, strict=True):
            os.dup2(saved, number)
            os.close(saved)
