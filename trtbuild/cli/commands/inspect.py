"""``trtbuild inspect``: the compiled engine of a build, a layer file or a log: findings, bytes, memory."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.workspace import Workspace, find_workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.building.states import VariantState, variant_states
from trtbuild.cli import words
from trtbuild.engine import Engine, read_engine
from trtbuild.engine.findings import Finding, moves_more
from trtbuild.engine.inspection import Inspection, document, inspect
from trtbuild.engine.text import SHOWN, lines
from trtbuild.latency.flame.reading import read_scopes

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

GROUP = "compare"
HELP = "show what a compiled engine does: layers, types, bytes, memory and findings, without a GPU"
EXAMPLES = """\
  trtbuild inspect model=segnet precision=int8
  trtbuild inspect layers.json --batch 8          # from trtexec --exportLayerInfo
  trtbuild inspect build.log --json               # the log of any build with detailed profiling verbosity
"""
OTHER = "fp16"  # what a quantised engine has to beat


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    parser.add_argument("--scopes", metavar="FILE", help="scopes.json of a build, for a layer file or a log")
    parser.add_argument("--batch", type=_size, metavar="N", help="the size to assume for a dynamic dimension")
    parser.add_argument("--all", action="store_true", help=f"show every layer and scope, not just {SHOWN}")


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError: the engine is not built here, or the file does not describe layers."""
    name, overrides = words.one_argument(args, "a layer file or a log")
    if name and overrides:
        raise ConfigError(f"a file takes no overrides ('{overrides[0]}')", where=name)
    if name:
        scopes = None if args.scopes is None else read_scopes(args.scopes)
        made = inspect(_at(read_engine(name), args.batch), scopes)
    elif args.scopes:
        raise ConfigError("a model from the config has its own scopes", where="--scopes")
    else:
        made = _of_variant(find_workspace(Path.cwd()), overrides, args.batch)
    if args.json:
        print(json.dumps(document(made), indent=1))
    else:
        print(*lines(made, None if args.all else SHOWN), sep="\n")
    return 0


def _of_variant(workspace: Workspace, overrides: Sequence[str], batch: int | None) -> Inspection:
    state = _state(workspace, overrides)
    if state.steps["engine"] != "fresh":
        pull = "pull or " if state.steps["engine"] == "remote" else ""
        raise ConfigError("its engine is not built here", where=state.id, hint=f"{pull}build it first")
    engine = _at(_engine(state), batch)
    plan_bytes = json.loads(_file(state, "engine", "passport.json").read_text("utf-8"))["bytes"]
    made = inspect(engine, _scopes(state), plan_bytes=plan_bytes)
    if "int8" not in made.compute_types().get("operands", {}):
        return made
    return replace(made, findings=(*_compared(workspace, overrides, batch, made), *made.findings))


def _compared(workspace: Workspace, overrides: Sequence[str], batch: int | None, made: Inspection) -> list[Finding]:
    """Findings against the recorded engine in the other precision; a note on stderr if there is none."""
    others = [word for word in overrides if not word.startswith(("precision=", "precision.", "calibration"))]
    try:
        other = _state(workspace, [*others, f"precision={OTHER}"])
    except TrtbuildError:  # a model whose overrides do not go with it
        return []
    if other.steps["engine"] != "fresh":
        print(f"not compared with {OTHER}: {other.id} is not built here", file=sys.stderr)
        return []
    total = inspect(_at(_engine(other), batch)).total
    return [] if total.unknown or made.total.unknown else moves_more(made.total.bytes, total.bytes, OTHER)


def _state(workspace: Workspace, overrides: Sequence[str]) -> VariantState:
    return next(iter(variant_states(plan_overrides(workspace, overrides, sweep=False, files=False)).values()))


def _file(state: VariantState, role: str, name: str) -> Path:
    return state.root / state.roles[role].folder / name


def _engine(state: VariantState) -> Engine:
    path = _file(state, "engine", "engine_layers.json")
    return replace(read_engine(path), source=path.relative_to(state.root).as_posix())


def _scopes(state: VariantState) -> ScopeMap | None:
    path = _file(state, "export", "scopes.json")
    return read_scopes(path) if path.exists() else None


def _at(engine: Engine, batch: int | None) -> Engine:
    return engine if batch is None else replace(engine, optimum=batch)


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of samples, found '{text}'")
    return int(text)
