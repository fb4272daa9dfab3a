"""The pages of a sweep, written into ``build/sweeps/<digest>/`` from the state of its variants."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError, ModelError, TrtbuildError
from trtbuild.base.workspace import SWEEPS, Workspace
from trtbuild.building.planned import Planned
from trtbuild.building.states import VariantState
from trtbuild.config import named
from trtbuild.core.spec import Names
from trtbuild.core.spec.lowering import rank
from trtbuild.core.step import Step
from trtbuild.core.verdict import WORDS
from trtbuild.documents.report import Report
from trtbuild.documents.sweep import State, SweepEntry
from trtbuild.pipeline import baseline


def write(p: Planned, states: Mapping[str, VariantState]) -> list[str]:
    """Write the pages; returns what a terminal says about them: the best calibrations, and where the overview is."""
    from trtbuild.reports import sweepcalibrations, sweepcells

    folder = own_folder(p.workspace, SWEEPS, [*p.plan.variants, *p.invalid])
    found = list(entries(p, states, folder))
    several = len({entry["calibration"] for entry in found}) > 1
    pairs = [(sweepcells.variant(entry), entry["report"]) for entry in found] if several else []
    lines = sweepcalibrations.lines(sweepcalibrations.rankings(pairs))
    return [*lines, f"sweep: {write_entries(found, folder, p.workspace.root)}"]


def write_entries(found: Sequence[SweepEntry], folder: Path, root: Path) -> str:
    """Write the pages of a sweep's entries into a folder; returns the overview's path, relative to the workspace."""
    from trtbuild.reports import sweep

    written = sweep.write(found, folder, packaged.templates(root))
    return next(path for path in written if path.name == "sweep.html").relative_to(root).as_posix()


def own_folder(workspace: Workspace, parent: str, names: Iterable[str]) -> Path:
    """Make a folder of pages, named by a digest of names."""
    return workspace.page_folder(parent, hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:8])


def entries(p: Planned, states: Mapping[str, VariantState], folder: Path) -> Iterator[SweepEntry]:
    """One for each variant, planned or invalid, as ``reports.sweep.collect`` takes them; links start in ``folder``."""
    for name, state in states.items():
        names, precision = p.plan.specs[name].names, p.plan.specs[name].spec.precision
        report = _report(p.workspace.root, state.roles["report"]) if state.word in WORDS else None
        yield {
            "id": name, "model": names.model, "precision": names.precision, "tensorrt": names.tensorrt,
            "runtime": names.runtime, "target": names.target, "calibration": names.calibration,
            "precision_rank": rank(precision.lowering, precision.tf32),
            "state": state.word if report else _why_none(state.failure),
            "reason": str(state.failure) if state.failure else "", "report": report,
            "folder": os.path.relpath(p.workspace.root / state.roles["report"].folder, folder) if report else None,
            "baseline": baseline.find(p.workspace.root, names.model, name),
        }  # fmt: skip
    for overrides, error in p.invalid.items():
        yield _invalid(p, overrides, error)


def _why_none(failure: TrtbuildError | None) -> State:
    if failure is None:
        return "not built"
    return "refused" if isinstance(failure, ModelError) else "failed"


def _invalid(p: Planned, overrides: str, error: TrtbuildError) -> SweepEntry:
    """The entry of a variant that could not be planned: options from its words, the rest from the other variants."""
    like = next(iter(p.plan.specs.values())).names
    words: Mapping[str, str] = dict(word.partition("=")[::2] for word in overrides.split())
    names = Names(*(words.get(field.name, getattr(like, field.name)) for field in fields(Names)))
    try:
        lowering = named.precision(p.workspace.root, names.precision)
        place = rank(lowering.kind, lowering.tf32)
    except ConfigError:  # which may be why the variant is invalid
        place = rank("", False)
    return {
        "id": overrides, "model": names.model, "precision": names.precision, "tensorrt": names.tensorrt,
        "runtime": names.runtime, "target": names.target, "calibration": names.calibration, "precision_rank": place,
        "state": "invalid", "reason": str(error), "report": None, "folder": None, "baseline": None,
    }  # fmt: skip


def _report(root: Path, step: Step) -> Report | None:
    """The report, if there is a readable one; its pictures, two thirds of it, are not in a sweep's pages."""
    try:
        return baseline.without_pictures(baseline.read_report(root / step.folder / "report.json"))
    except ConfigError:
        return None
