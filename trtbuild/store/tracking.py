"""DVC's files of a workspace: dvc.yaml, dvc.lock, params.yaml, models.dvc; the only file that runs the dvc command."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base import lifeline
from trtbuild.base.errors import RemoteError, WorkspaceError
from trtbuild.base.files import inner_path
from trtbuild.core.record import PARAMS_FILE, Digest, Record, command, dep_path, digest_of, params
from trtbuild.core.step import Plot, Step

if TYPE_CHECKING:
    import yaml

LOCK_FILE, STAGE_FILE, MODELS_FILE = "dvc.lock", "dvc.yaml", "models.dvc"
_SCHEMA = "2.0"
_DEEPEST = 500  # levels
Note = Callable[[str], None]
_LIKE_A_NUMBER = re.compile(r"[-+]?\.?\d[\d_.]*([eExXoO][-+\da-fA-F]*)?$")


def read_yaml(path: Path) -> object:
    """The file's content, or None if it is missing; the error for a broken one names it."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_yaml(text, str(path))


def parse_yaml(text: bytes, where: str, loader: type[yaml.SafeLoader] | None = None) -> object:
    """The content; raises WorkspaceError, which names ``where``, if it is not YAML."""
    import yaml

    loader = loader or getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if sum(map(text.count, (b"[", b"{", b"- -", b"? ?"))) > _DEEPEST:
            _check_depth(yaml.parse(text, Loader=loader))
        content: object = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # invalid dates and numbers
        what = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        raise WorkspaceError(what, where=where, hint="restore it with git, or delete it") from None
    return content


def _check_depth(events: Iterator[yaml.Event]) -> None:
    """Raise ValueError for what is nested so deeply that libyaml's stack overflows, which ends the process."""
    depth = 0
    for event in events:
        depth += {"SequenceStart": 1, "MappingStart": 1, "SequenceEnd": -1, "MappingEnd": -1}.get(
            type(event).__name__.removesuffix("Event"), 0
        )
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")


def to_yaml(value: object) -> bytes:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        pass

    def text_scalar(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        # PyYAML quotes what YAML 1.1 would take for a number; DVC reads YAML 1.2, where 1e-3 and 0o17 are numbers too.
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if _LIKE_A_NUMBER.match(text) else None)

    Dumper.add_representer(str, text_scalar)
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return text.encode()


def stage_yaml(step: Step) -> bytes:
    """The dvc.yaml of a step's folder: one stage with the name of its kind."""
    stage: dict[str, object] = {"cmd": command(step), "deps": sorted(_dep_paths(step)), "params": [{PARAMS_FILE: None}]}
    cached = [out.name for out in step.outs if out.cache]
    metrics = [{out.name: {"cache": False}} for out in step.outs if not out.cache]
    stage |= {"outs": sorted(cached)} if cached else {}
    stage |= {"metrics": metrics} if metrics else {}
    plots = [_plot(out.name, out.plot) for out in step.outs if out.plot]
    return to_yaml({"stages": {step.kind: stage}} | ({"plots": plots} if plots else {}))


def _plot(name: str, plot: Plot) -> dict[str, object]:
    """A top-level plot: what ``dvc plots`` draws without being part of the stage."""
    return {plot.title: {"x": {name: plot.x}, "y": {name: list(plot.y)}, "x_label": plot.x, "template": "simple"}}


def _dep_paths(step: Step) -> list[str]:
    # DVC never reuses a stage without dependencies, so such a step depends on its own parameters file.
    return [dep_path(step, i.path) for i in step.inputs.values()] or [PARAMS_FILE]


def params_yaml(step: Step) -> bytes:
    return to_yaml(dict(sorted(params(step).items())))


def read_record(lock: Path, kind: str, note: Note = lambda line: None) -> Record | None:
    """The stage ``kind`` of a dvc.lock; None if the file or stage is missing, or (with a note) not a record."""
    try:
        content = read_yaml(lock)
    except WorkspaceError as error:
        note(f"note   {lock}: {error.what}; it counts as absent")
        return None
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        if lock.exists():
            note(f"note   {lock}: it has no stages; it counts as absent")
        return None
    if kind not in stages:
        return None
    try:
        return record_of(stages[kind])
    except ValueError as error:
        note(f"note   {lock}: not a record of {kind}: {error}; it counts as absent")
        return None


def record_of(entry: object) -> Record:
    """A stage's entry in dvc.lock or the run cache.

    Raises:
        ValueError: it is damaged: the wrong form, an invalid digest, an output outside the step's folder.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("cmd"), str):
        raise ValueError("it has another form")
    deps, outs, values = entry.get("deps") or [], entry.get("outs") or [], entry.get("params") or {}
    recipe = values.get(PARAMS_FILE, {}) if isinstance(values, dict) else None
    if not isinstance(deps, list) or not isinstance(outs, list) or not isinstance(recipe, dict):
        raise ValueError("it has another form")
    for out in outs:
        inner_path(_path(out))
    read, written = ({_path(each): digest_of(each) for each in entries} for entries in (deps, outs))
    return Record(entry["cmd"], read, recipe, written)


def _path(entry: object) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise ValueError("an entry has no path")
    return str(entry["path"])


def lock_entry(record: Record) -> dict[str, object]:
    """The stage's entry as DVC writes it: lists sorted by path, parameters by name."""
    return {
        "cmd": record.cmd,
        "deps": [_entry(path, digest) for path, digest in sorted(record.deps.items())],
        "params": {PARAMS_FILE: dict(sorted(record.params.items()))},
        "outs": [_entry(path, digest) for path, digest in sorted(record.outs.items())],
    }


def lock_yaml(kind: str, record: Record) -> bytes:
    return to_yaml({"schema": _SCHEMA, "stages": {kind: lock_entry(record)}})


def _entry(path: str, digest: Digest) -> dict[str, object]:
    entry: dict[str, object] = {"path": path, "hash": "md5", "md5": digest.md5}
    entry |= {"size": digest.size} if digest.size is not None else {}
    entry |= {"nfiles": digest.files} if digest.files is not None else {}
    return entry


def recorded_models(root: Path) -> dict[str, Digest]:
    """The path and digest of every tracked model in ``models.dvc``.

    Raises:
        WorkspaceError: it is damaged: the wrong form, an invalid digest, a path outside the workspace.
    """
    try:
        return {path: digest_of(out) for path, out in _model_outs(root).items()}
    except ValueError as error:
        raise _not_models(root, error) from None


def model_remotes(root: Path) -> dict[str, str]:
    """The path and remote of every tracked model in ``models.dvc`` that names its own remote."""
    return {path: str(out["remote"]) for path, out in _model_outs(root).items() if "remote" in out}


def _model_outs(root: Path) -> dict[str, dict[str, object]]:
    content = read_yaml(root / MODELS_FILE) or {}
    try:
        if not isinstance(content, dict) or not isinstance(outs := content.get("outs") or [], list):
            raise ValueError("it has another form")
        if (content.get("wdir") or ".") != ".":
            raise ValueError("its wdir is another folder than its own")
        found = {_path(out): out for out in outs}
        for path in found:
            inner_path(path)
    except ValueError as error:
        raise _not_models(root, error) from None
    return found


def _not_models(root: Path, error: ValueError) -> WorkspaceError:
    return WorkspaceError(f"not a DVC file: {error}", where=str(root / MODELS_FILE), hint="restore it with git")


def run_dvc(root: Path, arguments: Sequence[str]) -> str:
    """Run ``dvc`` in the workspace and return what it printed.

    Raises:
        RemoteError: the command failed; its last error line is quoted.
    """
    argv = [sys.executable, "-m", "dvc", *arguments]
    done = lifeline.run(argv, cwd=root)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        message = lines[-1].removeprefix("ERROR: ") if lines else f"exit status {done.returncode}"
        raise RemoteError(f"dvc {arguments[0]}: {message}", where=str(root))
    return done.stdout
