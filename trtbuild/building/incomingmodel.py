"""A foreign model on its way into a workspace: what kind it is, what it says about itself, copied and tracked."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from trtbuild.base.checkout import whole
from trtbuild.base.errors import ConfigError
from trtbuild.base.files import inside, write_atomic
from trtbuild.base.workspace import Workspace
from trtbuild.core.recipes import InputParams, SourceKind, SourceParams
from trtbuild.store import tracking
from trtbuild.workers.child import run_job


class ModelAbout(TypedDict):
    """What a model says about itself (workers/jobs/inspect.py)."""

    source: SourceParams
    inputs: dict[str, InputParams]
    quantised: bool


def kind_of(model: Path) -> SourceKind:
    whole(model)
    if model.is_dir():
        return "saved_model"
    kinds: dict[str, SourceKind] = {
        ".keras": "keras",
        ".h5": "keras",
        ".hdf5": "keras",
        ".pb": "frozen_graph",
        ".onnx": "onnx",
    }
    if model.suffix not in kinds:
        hint = "a SavedModel is a folder; files are .keras, .h5, .pb (frozen graph) or .onnx"
        raise ConfigError(f"cannot tell what a '{model.suffix}' file is", where=str(model), hint=hint)
    return kinds[model.suffix]


def copy_in(source: Path, target: Path, made: list[Path]) -> None:
    """Copy a file, or a folder whose links stay inside it; a new target is added to ``made``."""
    if source == target:
        return
    if target.exists():
        raise ConfigError("another file is already there", where=str(target), hint="choose another name: --name NAME")
    if target.is_relative_to(source):
        raise ConfigError("the workspace cannot be inside the model's own folder", where=str(source))
    for parent, folders, files in os.walk(source):
        for name in (*folders, *files):
            inside(source, Path(parent, name).relative_to(source).as_posix(), where=str(source))
    made.append(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)


@contextlib.contextmanager
def inspected(
    workspace: Workspace, source: SourceParams, shapes: Mapping[str, list[int | None]], model: Path
) -> Iterator[tuple[ModelAbout, Path]]:
    """What the model says about itself, and the file to use: the model, or what was made from it.

    This runs in a child process: loading foreign files can crash the process that does it.
    """
    params = {"source": dict(source), "shapes": dict(shapes)}
    with workspace.scratch("init") as box:
        out = run_job(
            "workers.jobs.inspect", params, {"source": model}, box, where=model.name, workspace=workspace.root
        )
        made = out / "model"
        yield json.loads((out / "model.json").read_text("utf-8")), made if made.exists() else model


def track(root: Path, folder: Path) -> None:
    """Add an entry to models.dvc, or bring it up to date; DVC itself digests and caches the folder."""
    path = root / tracking.MODELS_FILE
    content = tracking.read_yaml(path)
    content = content if isinstance(content, dict) else {}
    outs = content.get("outs", [])
    if all(out["path"] != folder.as_posix() for out in outs):  # an entry that is there keeps its place and its remote
        write_atomic(path, tracking.to_yaml({**content, "outs": [*outs, {"path": folder.as_posix()}]}))
    ignore = root / "models" / ".gitignore"
    lines = ignore.read_text("utf-8").splitlines() if ignore.exists() else []
    if f"/{folder.name}" not in lines:
        write_atomic(ignore, ("\n".join([*lines, f"/{folder.name}"]) + "\n").encode())
    tracking.run_dvc(root, ["commit", "-f", folder.as_posix()])
