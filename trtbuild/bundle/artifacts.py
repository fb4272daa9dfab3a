"""The recorded files of one variant: each is what its record says, or the bundle is not made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from trtbuild.base.errors import ConfigError, PlaceError
from trtbuild.building.planned import Planned
from trtbuild.building.states import VariantState, variant_states
from trtbuild.core.record import Digest, Record, same
from trtbuild.core.spec import Variant
from trtbuild.core.step import Step
from trtbuild.core.verdict import why_unjudged, word_of
from trtbuild.documents import reading
from trtbuild.documents.verdict import Verdict
from trtbuild.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Artifacts:
    """One variant with its store; files are given by the role of their step and their name."""

    variant: Variant
    state: VariantState
    store: Store

    @classmethod
    def of(cls, p: Planned) -> Artifacts:
        """Of a plan with one variant."""
        ((name, state),) = variant_states(p).items()
        return cls(p.plan.specs[name], state, p.store)

    def step(self, role: str) -> Step:
        return self.state.roles[role]

    def record(self, step: Step) -> Record:
        record = self.store.record(step)
        if record is None:
            raise self._not_here(step, "it has no record")
        return record

    def file(self, role: str, name: str) -> Path:
        """A recorded output in the workspace.

        Raises:
            ConfigError: it is not here.  PlaceError: it is not what its record says.
        """
        step = self.step(role)
        path = f"{step.folder}/{name}"
        recorded, found = self.record(step).outs.get(name), self.store.digest(path)
        if recorded is None or found is None:
            raise self._not_here(step, f"{name} is not here")
        if not same(found, recorded):
            what, hint = "it is not what its record says (md5)", "delete it, and pull or build again"
            raise PlaceError(what, where=path, hint=hint)
        return self.store.root / path

    def document(self, role: str, name: str, kind: type[T]) -> T:
        return reading.read(self.file(role, name), kind)

    def source(self, path: str, recorded: Digest) -> Path | None:
        """A source file or folder of the workspace; None where it is not what the record says, or not here."""
        return self.store.root / path if same(self.store.digest(path), recorded) else None

    def _not_here(self, step: Step, what: str) -> ConfigError:
        return ConfigError(f"{step.folder}: {what}", where=self.state.id, hint="pull or build it first")


def objection(artifacts: Artifacts) -> str:
    """Why a variant should not be deployed; "" if nothing speaks against it."""
    error = artifacts.state.error
    if error is not None:
        return error.what
    verdict = artifacts.document("validate", "verdict.json", Verdict)
    word = word_of(verdict)
    if word == "unjudged":
        return f"it is unjudged: {why_unjudged(verdict)}"
    if word == "fail":
        failed = [name for name, check in verdict["checks"].items() if not check["passed"]]
        return f"it fails {len(failed)} of its thresholds ({failed[0]})"
    return ""
