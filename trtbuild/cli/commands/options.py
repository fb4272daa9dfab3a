"""``trtbuild options``: what can be chosen: options of the config groups, metrics, scopes of a model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean, printable
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.cli import words
from trtbuild.config import named
from trtbuild.config.origins import shown
from trtbuild.config.schema import group_schema, main_schema
from trtbuild.core.spec.validation import BUILT_IN, LOWER_BOUNDS, UPPER_BOUNDS
from trtbuild.pipeline.autoresult import options_row

GROUP = "build"
HELP = "list what can be chosen: models, precisions, versions, targets, metrics, or the scopes of a model"
EXAMPLES = """\
  trtbuild options
  trtbuild options precision
  trtbuild options metrics
  trtbuild options scopes model=segnet           # for overrides and mixed precisions; after a build
  trtbuild options model --schema                # JSON Schema of conf/model/*.yaml, for an editor
"""
_Rows = list[tuple[str, str]]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="GROUP", help="a config group, metrics, or scopes with model=…")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the group's or config.yaml")
    words.json_option(parser)


def run(args: argparse.Namespace) -> int:
    what, overrides = words.split_overrides(args.words)
    known = (*config.GROUPS, *_OTHERS)
    if len(what) > 1 or (what and what[0] not in known):
        wrong = what[-1]
        raise ConfigError(f"unknown group '{wrong}'", where="options", hint=did_you_mean(wrong, known))
    if overrides and what != ["scopes"]:
        raise ConfigError(f"takes no '{overrides[0]}'", where="options", hint="only 'options scopes' takes model=…")
    if args.schema:
        if what and what[0] not in config.GROUPS:
            raise ConfigError("expects a group", where="--schema", hint="trtbuild options model --schema")
        print(json.dumps(group_schema(what[0]) if what else main_schema(), indent=1))
        return 0
    rows = _rows(what[0] if what else "", overrides)
    if args.json:
        print(json.dumps({"schema_version": 1, "options": dict(rows)}, indent=1))
        return 0
    width = min(40, max((len(name) for name, _ in rows), default=0))
    print("\n".join(printable(f"{name:<{width}}  {about}".rstrip()) for name, about in rows))
    return 0


def _rows(what: str, overrides: list[str]) -> _Rows:
    if what in _OTHERS:
        return _OTHERS[what](overrides)
    root = named.root_here()
    if not what:
        return [(group, ", ".join(config.options(root, group))) for group in config.GROUPS]
    rows = [(name, _about(root, what, name)) for name in config.options(root, what)]
    return [options_row(root), *rows] if what == "precision" else rows


def _about(root: Path, group: str, name: str) -> str:
    """The file's opening comment, or else its first value, then the file."""
    path = next(p for folder in config.conf_folders(root) if (p := folder / group / f"{name}.yaml").is_file())
    text = path.read_text("utf-8", errors="replace").splitlines()
    said = next((line.lstrip("# ") for line in text if line.startswith("#") or ": " in line), "")
    return f"{said.strip()}  ({shown(root, path)})".lstrip()


def _metrics(overrides: list[str]) -> _Rows:
    deviation = [(name, "deviation, an upper bound") for name in UPPER_BOUNDS]
    deviation += [(name, "deviation, a lower bound") for name in LOWER_BOUNDS]
    tasks = [(name, f"task, {'higher' if higher else 'lower'} is better") for name, higher in BUILT_IN.items()]
    return [*deviation, *tasks, ("package.module:name", "task, a callable of your own")]


def _scopes(overrides: list[str]) -> _Rows:
    """Every scope of the exported graph with the number of nodes in it, and its operations."""
    if not overrides:
        raise ConfigError("expects a model", where="options scopes", hint="trtbuild options scopes model=segnet")
    p = plan_overrides(find_workspace(Path.cwd()), overrides, sweep=False, files=False)
    (roles,) = p.plan.variants.values()
    path = p.workspace.root / roles["export"].folder / "scopes.json"
    if not path.is_file():
        what = f"the scopes of {roles['export'].model} are known once it is exported"
        raise ConfigError(what, where="options scopes", hint=f"run: trtbuild {' '.join(overrides)}")
    entries = json.loads(path.read_text("utf-8"))["nodes"]
    counts: dict[str, int] = {}
    for entry in entries.values():
        parts = entry.get("name", entry["op"]).split("/")
        for end in range(1, len(parts) + 1):
            scope = "/".join(parts[:end])
            counts[scope] = counts.get(scope, 0) + 1
    return [(scope, f"{count} node{'s' * (count != 1)}") for scope, count in sorted(counts.items())]


_OTHERS: dict[str, Callable[[list[str]], _Rows]] = {"metrics": _metrics, "scopes": _scopes}
