"""DVC's files of a workspace: dvc.yaml, dvc.lock, params.yaml, models.dvc; the only file that runs the dvc command."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtbuild.core.record import PARAMS_FILE, Digest, Record, command, dep_path, params
from trtbuild.core.step import Plot, Step
from trtbuild.errors import RemoteError, WorkspaceError

LOCK_FILE, STAGE_FILE, MODELS_FILE = "dvc.lock", "dvc.yaml", "models.dvc"
_SCHEMA = "2.0"
_LIKE_A_NUMBER = re.compile(r"[-+]?\.?\d[\d_.]*([eExXoO][-+\da-fA-F]*)?$")


def read_yaml(path: Path) -> Any:
    """The file's content, or None when there is no such file; a broken one is named."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_yaml(text, str(path))


def parse_yaml(text: bytes, where: str) -> Any:
    """Raises WorkspaceError, which names ``where``, when it is not YAML."""
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        what = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        raise WorkspaceError(what, where=where, hint="restore it with git, or delete it") from None


def to_yaml(value: object) -> bytes:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        pass

    def text_scalar(dumper: Any, text: str) -> Any:
        # PyYAML quotes what YAML 1.1 would take for a number; DVC reads YAML 1.2, where 1e-3 and 0o17 are numbers too.
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if _LIKE_A_NUMBER.match(text) else None)

    Dumper.add_representer(str, text_scalar)
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return text.encode()


def stage_yaml(step: Step) -> bytes:
    """dvc.yaml of a step's folder: one stage with the kind's name."""
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


def read_record(lock: Path, kind: str) -> Record | None:
    """The stage ``kind`` of a dvc.lock; None when the file or the stage is absent or not ours to read."""
    content = read_yaml(lock)
    if content is None:
        return None
    try:
        return record_of(content["stages"][kind])
    except (KeyError, TypeError, AttributeError):
        return None


def record_of(entry: Mapping[str, Any]) -> Record:
    return Record(
        cmd=entry["cmd"],
        deps={dep["path"]: digest_of(dep) for dep in entry.get("deps", ())},
        params=entry.get("params", {}).get(PARAMS_FILE, {}),
        outs={out["path"]: digest_of(out) for out in entry.get("outs", ())},
    )


def digest_of(entry: Mapping[str, Any]) -> Digest:
    return Digest(entry["md5"], entry.get("size"), entry.get("nfiles"))


def lock_entry(record: Record) -> dict[str, Any]:
    """The stage's entry as DVC writes it: lists sorted by path, parameters by name."""
    return {
        "cmd": record.cmd,
        "deps": [_entry(path, digest) for path, digest in sorted(record.deps.items())],
        "params": {PARAMS_FILE: dict(sorted(record.params.items()))},
        "outs": [_entry(path, digest) for path, digest in sorted(record.outs.items())],
    }


def lock_yaml(kind: str, record: Record) -> bytes:
    return to_yaml({"schema": _SCHEMA, "stages": {kind: lock_entry(record)}})


def _entry(path: str, digest: Digest) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": path, "hash": "md5", "md5": digest.md5}
    entry |= {"size": digest.size} if digest.size is not None else {}
    entry |= {"nfiles": digest.files} if digest.files is not None else {}
    return entry


def recorded_models(root: Path) -> dict[str, Digest]:
    """``models.dvc``: path of every tracked model and its digest."""
    content = read_yaml(root / MODELS_FILE) or {}
    try:
        return {out["path"]: digest_of(out) for out in content.get("outs", ())}
    except (KeyError, TypeError, AttributeError):
        raise WorkspaceError("not a DVC file", where=str(root / MODELS_FILE), hint="restore it with git") from None


def model_remotes(root: Path) -> dict[str, str]:
    """``models.dvc``: path of every tracked model that names its own remote, and that name."""
    content = read_yaml(root / MODELS_FILE) or {}
    return {out["path"]: str(out["remote"]) for out in content.get("outs", ()) if "remote" in out}


def run_dvc(root: Path, arguments: Sequence[str]) -> str:
    """Run ``dvc`` in the workspace and return what it printed.

    Raises:
        RemoteError: the command failed; its last error line is quoted.
    """
    argv = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        said = lines[-1].removeprefix("ERROR: ") if lines else f"exit status {done.returncode}"
        raise RemoteError(f"dvc {arguments[0]}: {said}", where=str(root))
    return done.stdout
