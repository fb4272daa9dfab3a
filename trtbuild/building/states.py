"""The state of each variant of a plan, as every verb reports it, from records and a build's outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from trtbuild.base.errors import ConfigError, PlaceError, TrtbuildError
from trtbuild.building.observation import judge_plan
from trtbuild.building.planned import Planned
from trtbuild.core import warning
from trtbuild.core.explain import Judgement, State
from trtbuild.core.step import Step
from trtbuild.core.verdict import word_of
from trtbuild.documents import reading
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.verdict import CollectedWarning, Verdict, Word

VERDICT = warning.ARTIFACTS["validate"]

Ending = Literal["fresh", "restored", "pulled", "ran", "failed", "blocked"]
# A variant is built when these, the results that a person uses, are up to date.
RESULTS = ("engine", "deviation", "validate", "report")
_NOT_FRESH = {"missing": "not built", "stale": "built, but something it is made from has changed since"}


@dataclass
class Outcome:
    """How each step of a build ended, by key, and the errors of those that failed."""

    steps: dict[str, Ending] = field(default_factory=dict)
    failures: dict[str, TrtbuildError] = field(default_factory=dict)


_SHARED = 256  # documents: of one variant and of those beside it in a sweep, whatever its size


class Documents:
    """Artifacts, each read once for all variants that share it."""

    def __init__(self) -> None:
        self.json = lru_cache(_SHARED)(reading.read_json)
        self.deviation = lru_cache(_SHARED)(_deviation)


def _deviation(path: Path) -> Deviation:
    return reading.read(path, Deviation)


@dataclass(frozen=True)
class VariantState:
    """One variant; mappings are by role, upstream first.

    ``endings`` and ``failures`` come from the build that was just made, and are empty without one.  Verdict and
    warnings are read from the artifacts below ``root`` when they are first needed.
    """

    id: str
    root: Path
    roles: Mapping[str, Step]
    judgements: Mapping[str, Judgement]
    endings: Mapping[str, Ending] = field(default_factory=dict)
    failures: Mapping[str, TrtbuildError] = field(default_factory=dict)
    documents: Documents = field(default_factory=Documents)

    @cached_property
    def steps(self) -> dict[str, State]:
        """The state of every step; a step that the build has brought up to date is fresh."""
        undone = {role: self.endings.get(role) in (None, "failed", "blocked") for role in self.roles}
        return {role: self.judgements[role].state if undone[role] else "fresh" for role in self.roles}

    @property
    def built(self) -> bool:
        """Whether its results are up to date; for other steps the records are enough."""
        whole = not {"failed", "blocked"} & set(self.endings.values())
        return whole and all(self.steps.get(role, "fresh") == "fresh" for role in RESULTS)

    @property
    def failure(self) -> TrtbuildError | None:
        """The error of the first step that failed."""
        return next(iter(self.failures.values()), None)

    @property
    def error(self) -> TrtbuildError | None:
        """Why it is not built; None if it is."""
        if self.built or self.failure is not None:
            return self.failure
        role = next((role for role in RESULTS if self.steps.get(role, "fresh") != "fresh"), RESULTS[-1])
        state, why = self.steps[role], self.judgements[role].why
        hint = "pull or build it first" if state == "remote" else "build it first"
        return ConfigError(_NOT_FRESH.get(state, f"not here: {why}"), where=self.id, hint=hint)

    @cached_property
    def verdict(self) -> Verdict | None:
        """What its thresholds say; None if it is not built.

        TensorRT versions share a verdict on the graph: without an engine it is not a verdict on the variant.
        """
        document = self._artifact("validate", VERDICT) if self.built else None
        if document is None:
            return None
        return reading.checked(document, Verdict, where=f"{self.roles['validate'].folder}/{VERDICT}")

    @property
    def word(self) -> Word | Literal["not built"]:
        """The word of its verdict, or "not built"."""
        return "not built" if self.verdict is None else word_of(self.verdict)

    @cached_property
    def warnings(self) -> list[CollectedWarning]:
        """The warnings of the steps that are up to date, each once."""
        fresh = [role for role, state in self.steps.items() if state == "fresh" and role in warning.ARTIFACTS]
        found = {role: self._artifact(role, warning.ARTIFACTS[role]) for role in fresh}
        return warning.collect({role: document for role, document in found.items() if isinstance(document, dict)})

    @property
    def made_anew(self) -> bool:
        """Whether the build ran a step; restoring results and drawing the report again do not count."""
        return any(ending in ("ran", "failed") for role, ending in self.endings.items() if role != "report")

    @property
    def exit_status(self) -> int:
        """The highest exit status of its failures, otherwise 1 if a threshold failed."""
        return max((error.exit_status for error in self.failures.values()), default=int(self.word == "fail"))

    def _artifact(self, role: str, name: str) -> object:
        if role not in self.roles:
            return None
        try:
            return self.documents.json(self.root / self.roles[role].folder / name)
        except PlaceError:  # not here, or cut off: the step is not built
            return None


def variant_states(p: Planned, outcome: Outcome | None = None) -> dict[str, VariantState]:
    """Every variant of a plan, by id; ``outcome``: of the build that was just made."""
    judged = {step.key: judgement for step, judgement in judge_plan(p.plan, p.store)}
    steps, failures = (outcome.steps, outcome.failures) if outcome else ({}, {})
    documents = Documents()
    return {
        name: VariantState(
            name, p.workspace.root, roles,
            {role: judged[step.key] for role, step in roles.items()},
            {role: steps[step.key] for role, step in roles.items() if step.key in steps},
            {role: failures[step.key] for role, step in roles.items() if step.key in failures},
            documents,
        )
        for name, roles in p.plan.variants.items()
    }  # fmt: skip


def exit_status(states: Iterable[VariantState], invalid: Iterable[TrtbuildError] = ()) -> int:
    """The highest exit status of these variants and of those that could not be planned."""
    failed = [error.exit_status for error in invalid]
    return max([*failed, *(state.exit_status for state in states)], default=0)
