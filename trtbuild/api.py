"""The Python interface: plan, build and load variants, as frozen values; quiet, and without leaving the process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Literal, overload

from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.workspace import find_workspace
from trtbuild.building.observation import judge_plan
from trtbuild.building.planned import Planned, plan_overrides
from trtbuild.building.run import build_planned
from trtbuild.building.states import VariantState, variant_states
from trtbuild.core.plan import Plan
from trtbuild.core.spec import Names
from trtbuild.core.step import Step
from trtbuild.core.warning import StepWarning
from trtbuild.documents import reading
from trtbuild.documents.deviation import Deviation, metrics
from trtbuild.documents.verdict import Word
from trtbuild.workers.status import SilentStatus

Place = str | os.PathLike[str] | None
State = Word | Literal["not built"]


@dataclass(frozen=True)
class PlannedStep:
    """One step of a plan; ``state`` is "fresh", "stale", "missing" or "remote", and ``why`` the reason."""

    kind: str
    folder: Path
    state: str
    why: str
    inputs: Mapping[str, str]  # paths relative to the workspace, by name


@dataclass(frozen=True)
class Check:
    """One threshold: ``observed`` is None where there was nothing finite to judge."""

    observed: float | None
    limit: float
    passed: bool


@dataclass(frozen=True)
class Result:
    """One variant.

    ``checks`` by name; ``metrics`` by output and statistic, of what runs last against the source model, in the units
    of the output (``docs/deviation.md``); ``paths`` of the outputs that are here, absolute, as "step kind/file name";
    ``status`` is the exit status that the command line gives it, ``error`` why it is not built; ``warnings``: what one
    has to know all the same.
    """

    id: str
    model: str
    precision: str
    tensorrt: str
    runtime: str
    target: str
    calibration: str
    state: State
    checks: Mapping[str, Check]
    metrics: Mapping[str, Mapping[str, float | int | None]]
    paths: Mapping[str, Path]
    status: int
    error: TrtbuildError | None = None
    warnings: tuple[StepWarning, ...] = ()

    @property
    def passed(self) -> bool:
        return self.state == "pass"

    @property
    def engine(self) -> Path:
        """The engine file.  Raises the ``error`` of a variant that was not built."""
        return self._path("engine/engine.plan")

    @property
    def report(self) -> Path:
        """The first page of its report.  Raises the ``error`` of a variant that was not built."""
        return self._path("report/overview.html")

    def _path(self, name: str) -> Path:
        if self.error is not None:
            raise self.error
        return self.paths[name]


def plan(*overrides: str, sweep: bool = False, workspace: Place = None) -> tuple[PlannedStep, ...]:
    """What would run, without running it; each step after all it reads from.

    Args:
        overrides: as on the command line: ``"model=segnet", "precision=int8"``.
        sweep: an override may have several values, as with ``-m``.
        workspace: a folder in it; the current one by default.

    Raises:
        ConfigError, ToolchainError: the overrides make no variant.  WorkspaceError: there is no workspace.
    """
    p = _planned(overrides, workspace, sweep)
    return tuple(
        PlannedStep(
            step.kind,
            p.workspace.root / step.folder,
            judgement.state,
            judgement.why,
            MappingProxyType({name: source.path for name, source in step.inputs.items()}),
        )
        for step, judgement in judge_plan(p.plan, p.store)
    )


@overload
def build(
    *overrides: str, sweep: Literal[False] = ..., workspace: Place = ..., progress: bool = ..., install: bool = ...
) -> Result: ...
@overload
def build(
    *overrides: str, sweep: Literal[True], workspace: Place = ..., progress: bool = ..., install: bool = ...
) -> tuple[Result, ...]: ...
def build(
    *overrides: str, sweep: bool = False, workspace: Place = None, progress: bool = False, install: bool = True
) -> Result | tuple[Result, ...]:
    """Bring a variant, or all of a sweep, up to date.

    A failed threshold is not an exception: ``state`` is "fail".  Nor is, in a sweep, what happens to one variant: its
    ``error`` says it.

    Args:
        overrides, sweep, workspace: as in :func:`plan`.
        progress: report on stderr what happens.
        install: install a TensorRT version that is missing.

    Raises:
        TrtbuildError: as :func:`plan`; without ``sweep``, also the error of the first step that failed.
    """
    p = _planned(overrides, workspace, sweep)
    outcome = build_planned(p, install=install, status=None if progress else SilentStatus())
    return _results(p, variant_states(p, outcome), sweep=sweep)


@overload
def load(*overrides: str, sweep: Literal[False] = ..., workspace: Place = ...) -> Result: ...
@overload
def load(*overrides: str, sweep: Literal[True], workspace: Place = ...) -> tuple[Result, ...]: ...
def load(*overrides: str, sweep: bool = False, workspace: Place = None) -> Result | tuple[Result, ...]:
    """What is built and up to date, without building or pulling anything.

    Raises:
        TrtbuildError: as :func:`plan`; without ``sweep``, ConfigError for a variant that is not up to date.
    """
    p = _planned(overrides, workspace, sweep, files=False)
    return _results(p, variant_states(p), sweep=sweep)


def _planned(overrides: tuple[str, ...], workspace: Place, sweep: bool, *, files: bool = True) -> Planned:
    return plan_overrides(find_workspace(Path(workspace or Path.cwd())), overrides, sweep=sweep, files=files)


def _results(p: Planned, states: Mapping[str, VariantState], *, sweep: bool) -> Result | tuple[Result, ...]:
    results = [_result(p.plan.specs[name].names, state) for name, state in states.items()]
    if not sweep:
        (result,) = results
        if result.error is not None:
            raise result.error
        return result
    return (*results, *(_invalid(p.plan, overrides, error) for overrides, error in p.invalid.items()))


def _result(names: Names, state: VariantState) -> Result:
    verdict, word = state.verdict, state.word
    if verdict is None or word == "not built":
        removed = ConfigError("not built", where=state.id, hint="build it first")  # since it was judged
        return _not_built(state.id, names, state.error or removed)
    checks = {check: Check(c["observed"], c["limit"], c["passed"]) for check, c in verdict["checks"].items()}
    return Result(
        id=state.id,
        **asdict(names),
        state=word,
        checks=MappingProxyType(checks),
        metrics=MappingProxyType(_metrics(state.root, state.roles["deviation"])),
        paths=MappingProxyType(_paths(state.root, state.roles)),
        status=state.exit_status,
        warnings=tuple(StepWarning(**each) for each in state.warnings),
    )


def _invalid(plan: Plan, overrides: str, error: TrtbuildError) -> Result:
    """A variant of a sweep that could not be planned: what its words say, and for the rest what the others have."""
    like = next(iter(plan.specs.values())).names
    words: Mapping[str, str] = dict(word.partition("=")[::2] for word in overrides.split())
    names = Names(*(words.get(field.name, getattr(like, field.name)) for field in fields(Names)))
    return _not_built(overrides, names, error)


def _not_built(name: str, names: Names, error: TrtbuildError) -> Result:
    return Result(
        id=name, **asdict(names), state="not built", checks=MappingProxyType({}), metrics=MappingProxyType({}),
        paths=MappingProxyType({}), status=error.exit_status, error=error,
    )  # fmt: skip


def _metrics(root: Path, step: Step) -> dict[str, Mapping[str, float | int | None]]:
    document = reading.read(root / step.folder / "deviation.json", Deviation)
    return {output: MappingProxyType(metrics(numbers)) for output, numbers in document["hops"]["total"].items()}


def _paths(root: Path, roles: Mapping[str, Step]) -> dict[str, Path]:
    every = ((f"{role}/{out.name}", root / step.folder / out.name) for role, step in roles.items() for out in step.outs)
    return {name: path for name, path in every if path.is_file()}
