"""Run one step from its folder alone: by hand, compared with its record, or in place, for ``dvc repro``."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtbuild import toolchains
from trtbuild.base.errors import ConfigError
from trtbuild.base.files import is_inside
from trtbuild.base.text import printable
from trtbuild.base.workspace import Workspace, find_workspace
from trtbuild.building import sandbox
from trtbuild.core.job import prepare
from trtbuild.core.parse import parse
from trtbuild.core.record import PARAMS_FILE, Record
from trtbuild.core.step import Environment, Out, Step
from trtbuild.store import tracking
from trtbuild.store.digests import file_md5
from trtbuild.workers.executors import Completion
from trtbuild.workers.executors.local import LocalExecutor

DIFFERS = "DIFFERS"


def rerun(folder: Path) -> int:
    """Run the step in a sandbox, with its log on the terminal, and report whether each output equals its record.

    Returns 1 if one differs.
    """
    workspace = find_workspace(folder if folder.is_dir() else Path.cwd())
    recipe = _recipe(folder)
    record = tracking.read_record(folder / tracking.LOCK_FILE, recipe.kind, _to_stderr)
    if record is not None and record.params != tracking.read_yaml(folder / PARAMS_FILE):
        where, hint = str(folder / PARAMS_FILE), "restore it with git; to try other values, write a config"
        raise ConfigError(f"it is not what {tracking.LOCK_FILE} recorded", where=where, hint=hint)
    out = workspace.private / "rerun" / folder.resolve().name
    _run(workspace, folder.resolve(), recipe, out)
    lines = compare(out, recipe.outs, record)
    for line in [*lines, f"outputs: {os.path.relpath(out)}"]:
        print(line, file=sys.stderr)
    return int(any(line.startswith(DIFFERS) for line in lines))


def compare(made: Path, outs: Sequence[str], record: Record | None) -> list[str]:
    """One line for each output: identical, differs, or not recorded."""
    lines = []
    for name in outs:
        recorded = record.outs.get(name) if record else None
        identical = recorded is not None and file_md5(made / name) == recorded.md5
        lines.append(f"{'not recorded' if recorded is None else 'identical' if identical else DIFFERS:<12} {name}")
    return lines


def run_here(kind: str, folder: Path) -> int:
    """Make the outputs of the current folder's step in place; DVC records them."""
    recipe = _recipe(folder)
    if recipe.kind != kind:
        raise ConfigError(f"this folder holds a {recipe.kind} step, not {kind}", where=str(folder))
    workspace = find_workspace(folder)
    with workspace.scratch("step") as box:
        _run(workspace, folder, recipe, box / "made")
        for name in recipe.outs:
            shutil.move(box / "made" / name, folder / name)
    return 0


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


@dataclass(frozen=True)
class Recipe:
    """A step's params.yaml, as ``core.record.params`` writes it; paths of ``inputs`` are relative to its folder."""

    kind: str
    version: int
    environment: Environment
    inputs: Mapping[str, str]
    outs: tuple[str, ...]
    params: Mapping[str, object]
    recipe: str


def _recipe(folder: Path) -> Recipe:
    where = folder / PARAMS_FILE
    content = tracking.read_yaml(where)
    if not isinstance(content, dict):
        raise ConfigError(f"not a step folder: it has no {PARAMS_FILE}", where=str(folder), hint="see: trtbuild show")
    recipe = parse(Recipe, content, str(where))
    if not all(is_inside(out) for out in recipe.outs):
        raise ConfigError("an output is outside the step's folder", where=str(where))
    return recipe


def _run(workspace: Workspace, folder: Path, recipe: Recipe, out: Path) -> None:
    """Run in a sandbox of its own, streaming the log to stderr; the outputs end up in ``out``."""
    _check_version(recipe, folder)
    inputs = {name: _input(workspace, folder, name, path) for name, path in recipe.inputs.items()}
    step = Step(
        recipe.kind, recipe.version, folder.parent.name, "", {}, {}, tuple(Out(name) for name in recipe.outs),
        environment=recipe.environment,
    )  # fmt: skip
    with workspace.scratch("rerun") as scratch:
        box = scratch / folder.name
        prepare(box, recipe.kind, recipe.params, inputs, workspace.root)
        log = box / "log.txt"
        sandbox.run_alone(step, box, lambda _: _interpreter(recipe), lambda executor: _follow(executor, log))
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(box / "out", out)


def _input(workspace: Workspace, folder: Path, name: str, path: str) -> Path:
    """An input of a recipe, by its path relative to the step's folder."""
    where = str(folder / PARAMS_FILE)
    if "/" in name or not is_inside(name):
        raise ConfigError(f"'{printable(name)}' is not the name of an input", where=where)
    file = workspace.inside(os.path.relpath(os.path.join(folder, path), workspace.root), where=where)
    if not file.exists():
        raise ConfigError(f"input {name} is missing", where=str(file), hint="run: trtbuild, or dvc pull")
    return file


def _follow(executor: LocalExecutor, log: Path) -> Completion:
    """Copy the log to stderr until the step ends."""
    with log.open("rb") as handle:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two parts
        while True:
            ended = executor.wait(0.1)
            said = decoder.decode(handle.read(), final=ended is not None)
            sys.stderr.write("".join(c if c in "\n\t" else printable(c) for c in said))  # a callable may print escapes
            sys.stderr.flush()
            if ended is not None:
                return ended


def _check_version(recipe: Recipe, folder: Path) -> None:
    from importlib import import_module

    from trtbuild.steps import kinds

    kind = recipe.kind
    if kind not in kinds():
        raise ConfigError(f"unknown step kind '{kind}'", where=str(folder))
    have = import_module(f"trtbuild.steps.{kind}").VERSION
    if have != recipe.version:
        what = f"recorded by {kind} version {recipe.version}, this trtbuild has version {have}"
        raise ConfigError(what, where=str(folder), hint="run the trtbuild that recorded it, or build again")


def _interpreter(recipe: Recipe) -> Path:
    if recipe.environment == "main":
        return Path(sys.executable)
    return toolchains.interpreter(toolchains.wanted(recipe.params), note=_to_stderr)
