"""A case of the suite as a subject: exported in its own process, together with other cases of its function."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from trtbuild.base.errors import ConfigError, ExportError
from trtbuild.base.text import did_you_mean
from trtbuild.config import named
from trtbuild.reducing.subject import Neighbour, Subject, aimed
from trtbuild.suite import worker
from trtbuild.suite.case import Case
from trtbuild.workers.child import run_job

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

MOST_NEIGHBOURS = 6
EXPORT_S = 300.0  # of the case and its neighbours together


class NeighbourEntry(TypedDict):
    file: str
    matches: bool


class ExportedCase(TypedDict):
    """exported.json, of the process that exports a case; ``failed``: why there is no graph, "" when there is one."""

    failed: str
    shapes: dict[str, list[int]]
    profiles: dict[str, list[list[int]]]
    neighbours: dict[str, NeighbourEntry]


def find(name: str, root: Path | None) -> Case:
    """The case with this id; raises ConfigError that suggests the nearest one."""
    from trtbuild.suite.collection import collect

    cases = collect(root)
    if name not in cases:
        raise ConfigError(f"'{name}' is neither a case of the suite nor an .onnx file", where="command line",
                          hint=did_you_mean(name, list(cases)))  # fmt: skip
    return cases[name]


def of_case(case: Case, overrides: Sequence[str], root: Path | None, folder: Path) -> Subject:
    """Export a case and its neighbours into ``folder``.

    Raises:
        ExportError: TensorFlow or the exporter refuses it.  WorkerDied: its process died.
    """
    import onnx

    versions, target = aimed(named.values(overrides, named.AIMS), case.lowering)
    others = neighbours(case, root)
    out, about = _exported(case, others, root, folder)
    if about["failed"]:
        hint = "TensorRT is not at fault: there is no graph to reduce"
        raise ExportError(about["failed"], where=case.id, hint=hint)
    own = not case.packaged
    return Subject(
        onnx.load(out / "lowered.onnx"), onnx.load(out / "exported.onnx"), about["shapes"], about["profiles"],
        case.lowering, versions, target, f"the case '{case.id}'" if not own else "a case of the user's own suite",
        case.id, case.tolerance, {}, _arrays(out / "feeds.npz"), _arrays(out / "golden.npz"), case,
        {title: Neighbour(out / one["file"], one["matches"]) for title, one in about["neighbours"].items()}, True,
        secrets=tuple(filter(None, (str(root or ""), *((case.id,) if own else ())))),
    )  # fmt: skip


def neighbours(case: Case, root: Path | None) -> list[Case]:
    """Cases of the same function with other parameters."""
    from trtbuild.suite.collection import collect

    if case.build is None:
        return []
    same = [c for c in collect(root).values() if c.build is case.build and c.id != case.id]
    alike = [c for c in same if c.precision == case.precision]
    return (alike or same)[:MOST_NEIGHBOURS]


def _exported(case: Case, others: Sequence[Case], root: Path | None, folder: Path) -> tuple[Path, ExportedCase]:
    """The folder with the graphs and values, and its exported.json."""
    params = {"ids": [case.id, *(other.id for other in others)], "root": str(root or "")}
    out = run_job("reducing.caseexport", params, {}, folder / "export", where=case.id, limit_s=EXPORT_S,
                  environment=worker.environment())  # fmt: skip
    about: ExportedCase = json.loads((out / "exported.json").read_text("utf-8"))
    return out, about


def _arrays(path: Path) -> dict[str, Array]:
    import numpy as np

    if not path.exists():
        return {}
    with np.load(path, allow_pickle=True) as arrays:  # texts; written by our own process
        return {name: arrays[name] for name in arrays.files}
