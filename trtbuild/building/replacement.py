"""``trtbuild replace``: a retrained model in place of the one that a config names; the config stays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import inside, write_atomic
from trtbuild.base.workspace import Workspace
from trtbuild.building.incomingmodel import copy_in, inspected, kind_of, track
from trtbuild.config import option
from trtbuild.core.parse import parse
from trtbuild.core.recipes import InputParams, source_params
from trtbuild.core.spec import Factory, Model
from trtbuild.core.spec.model import Input
from trtbuild.store import tracking


def replace(workspace: Workspace, name: str, model: Path) -> str:
    """Put ``model`` where the config's source is, and track it; returns the replaced path, relative to the workspace.

    Whatever fails, the old model and its record are there as before.

    Raises:
        ConfigError: no such model or file, another kind of model, or other inputs than the config has.
    """
    spec = parse(Model, option.content(workspace.root, "model", name), f"model={name}")
    where = f"model={name}"
    if isinstance(spec.source, Factory):
        raise ConfigError("its source is made by code, so there is no file to replace", where=where)
    path: str = spec.source.path
    if not model.exists():
        raise ConfigError("no such file or folder", where=str(model))
    if (kind := kind_of(model)) != spec.source.kind:
        what = f"its kind is {kind}, and the config's is {spec.source.kind}"
        raise ConfigError(what, where=str(model), hint="add it under a name of its own: trtbuild init . --from MODEL")
    target, model = inside(workspace.root, path, where=where), Path(os.path.abspath(model))
    shapes = {key: list(value.shape) for key, value in spec.inputs.items()}
    with inspected(workspace, {**source_params(spec), "path": str(model)}, shapes, model) as (about, file):
        _check_inputs(spec.inputs, about["inputs"], str(model))
        _swap(workspace, file, target, _tracked(workspace.root, path))
    return path


def _check_inputs(wanted: Mapping[str, Input], found: Mapping[str, InputParams], where: str) -> None:
    """Refuse a model that the config does not describe: its build would fail, or mean something else."""
    hint = "change the config's inputs, or add the model under a name of its own"
    for name in sorted(wanted.keys() | found.keys()):
        if name not in wanted or name not in found:
            lacks = "the model has no input" if name not in found else "the config has no input"
            raise ConfigError(f"{lacks} '{name}'", where=where, hint=hint)
        have, want = found[name], wanted[name]
        if have["dtype"] != want.dtype:
            raise ConfigError(f"input '{name}' is {have['dtype']}, not {want.dtype}", where=where, hint=hint)
        fits = len(have["shape"]) == len(want.shape) and all(
            a is None or b is None or a == b for a, b in zip(have["shape"], want.shape, strict=True)
        )
        if not fits:
            what = f"input '{name}' has shape {list(have['shape'])}, not {list(want.shape)}"
            raise ConfigError(what, where=where, hint=hint)


def _tracked(root: Path, path: str) -> Path | None:
    """The entry of models.dvc that a path is, or is inside of."""
    return next((Path(e) for e in tracking.recorded_models(root) if path == e or path.startswith(f"{e}/")), None)


def _swap(workspace: Workspace, file: Path, target: Path, entry: Path | None) -> None:
    """Copy the new model into place and track it; the old one comes back if that fails."""
    record = workspace.root / tracking.MODELS_FILE
    before = record.read_bytes() if record.exists() else None
    with workspace.scratch("replace") as box:
        kept, made = box / "old", list[Path]()
        if target.exists():
            os.rename(target, kept)
        try:
            copy_in(file, target, made)
            if entry is not None:
                track(workspace.root, entry)
        except BaseException:  # whatever the error, the workspace is as it was before
            for new in made:
                shutil.rmtree(new) if new.is_dir() else new.unlink(missing_ok=True)
            if kept.exists():
                os.rename(kept, target)
            if before is not None:
                write_atomic(record, before)
            raise
