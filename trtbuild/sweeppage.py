"""The pages of a sweep: its variants, as records and outcome say they are, written into ``build/sweeps/<digest>/``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trtbuild import baseline, packaged
from trtbuild.build import Outcome
from trtbuild.core.step import Step
from trtbuild.errors import ModelError, TrtbuildError
from trtbuild.planned import Planned
from trtbuild.summary import state_of

FOLDER = "build/sweeps"


def write(p: Planned, outcome: Outcome) -> str:
    """Write the pages; returns the path of the overview, relative to the workspace."""
    from trtbuild.reports import sweep

    names = sorted([*p.plan.variants, *p.refused])
    folder = p.workspace.root / FOLDER / hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")  # they are drawn from records, which git has
    written = sweep.write(list(_entries(p, outcome, folder)), folder, packaged.templates(p.workspace.root))
    first = next(path for path in written if path.name == "sweep.html")
    return first.relative_to(p.workspace.root).as_posix()


def _entries(p: Planned, outcome: Outcome, folder: Path) -> Iterator[dict[str, Any]]:
    for name, roles in p.plan.variants.items():
        names = p.plan.specs[name].names
        error = next((outcome.failures[s.key] for s in roles.values() if s.key in outcome.failures), None)
        state = state_of(p, outcome, roles)
        if error is not None:
            state = "refused" if isinstance(error, ModelError) else "failed"
        report = _report(p.workspace.root, roles["report"]) if state in ("pass", "fail") else None
        yield {
            "id": name, **{group: getattr(names, group) for group in _GROUPS},
            "state": state if report or error or state == "not built" else "not built",
            "reason": str(error) if error else "", "report": report,
            "folder": os.path.relpath(p.workspace.root / roles["report"].folder, folder) if report else None,
            "baseline": baseline.find(p.workspace.root, names.model, name),
        }  # fmt: skip
    for overrides, error in p.refused.items():
        yield _refused(p, overrides, error)


_GROUPS = ("model", "precision", "tensorrt", "runtime", "target", "calibration")


def _refused(p: Planned, overrides: str, error: TrtbuildError) -> dict[str, Any]:
    """A variant that could not be planned: what its words say, and of the rest what the others have."""
    like = next(iter(p.plan.specs.values())).names
    words: Mapping[str, str] = dict(word.partition("=")[::2] for word in overrides.split())
    chosen = {group: words.get(group, getattr(like, group)) for group in _GROUPS}
    return {"id": overrides, **chosen, "state": "refused", "reason": str(error), "report": None, "folder": None,
            "baseline": None}  # fmt: skip


def _report(root: Path, step: Step) -> dict[str, Any] | None:
    try:
        page: dict[str, Any] = json.loads((root / step.folder / "report.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return page
