"""The verb flamegraph: files of a profiler's export to a folder of pictures; needs no workspace."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.attribute import flame_graph
from trtbuild.latency.flame.diff import Difference, difference
from trtbuild.latency.flame.formats import difference_table, table
from trtbuild.latency.flame.latency import read_latency
from trtbuild.latency.flame.layers import read_layers
from trtbuild.latency.flame.profile import read_profile
from trtbuild.latency.flame.reading import read_scopes
from trtbuild.latency.flame.rename import parse_rules
from trtbuild.latency.flame.tree import facts, time_text
from trtbuild.latency.flame.values import MODES, Graph, Mode, Reformats, Rule
from trtbuild.reports.flamegraph import write_all

HINT = "trtbuild flamegraph PROFILE.json [--layers LAYERS.json] [--diff OLD.json] -o DIR"
Choice = TypeVar("Choice", bound=str)
REFORMATS: tuple[Reformats, ...] = ("inside", "apart")


def run(
    arguments: Sequence[str], options: Mapping[str, str], lists: Mapping[str, Sequence[str]], *, as_json: bool
) -> int:
    """PROFILE is the new one; ``--diff`` names the old one it is compared with.

    Raises:
        ConfigError: a word is wrong, or a file is; OSError: the folder cannot be written.
    """
    if len(arguments) != 1:
        raise ConfigError(f"expects one profile, found {len(arguments)}", where="flamegraph", hint=HINT)
    if "--output" not in options:
        raise ConfigError("expects a folder to write to", where="flamegraph", hint="add -o DIR")
    for name in ("--diff-layers", "--diff-scopes"):
        if name in options and "--diff" not in options:
            raise ConfigError("needs --diff OLD_PROFILE.json", where=name)
    mode = _choice(options, "--mode", MODES)
    reformats = _choice(options, "--reformat", REFORMATS)
    rules = parse_rules(lists.get("--rename", ()))
    latency_ms, latency_source = read_latency(options.get("--times"), options.get("--metadata"))

    new = _graph(
        arguments[0],
        options.get("--layers"),
        options.get("--scopes"),
        mode,
        rules,
        reformats,
        latency_ms,
        latency_source,
    )
    change = None
    if "--diff" in options:
        scopes = options.get("--diff-scopes", options.get("--scopes"))
        # A layer file of the new engine does not fit the old one: without its own, the old one goes by names.
        layers = options.get("--diff-layers")
        if mode == "macs" and layers is None:
            raise ConfigError("mode macs needs the old engine's layers too", where="--diff", hint="add --diff-layers")
        change = difference(new, _graph(options["--diff"], layers, scopes, mode, rules, reformats, None, ""))
    title = options.get("--title") or Path(arguments[0]).name.removesuffix(".json")
    written = write_all(
        new, Path(options["--output"]), title=title, templates=packaged.templates(Path.cwd()), change=change
    )
    if as_json:
        print(json.dumps(difference_table(change, title) if change else table(new, title), indent=1))
    _say(new, change, written)
    return 0


def _graph(
    profile: str, layers: str | None, scopes: str | None, mode: Mode, rules: tuple[Rule, ...], reformats: Reformats,
    latency_ms: float | None, latency_source: str,
) -> Graph:  # fmt: skip
    return flame_graph(
        read_profile(profile),
        None if layers is None else read_layers(layers),
        None if scopes is None else read_scopes(scopes),
        mode,
        rules,
        latency_ms,
        latency_source,
        reformats,
    )


def _choice(options: Mapping[str, str], name: str, valid: Sequence[Choice]) -> Choice:
    from trtbuild.base.names import did_you_mean

    value = options.get(name, valid[0])
    found = next((choice for choice in valid if choice == value), None)
    if found is None:
        raise ConfigError(f"unknown value '{value}'", where=name, hint=did_you_mean(value, valid))
    return found


def _say(graph: Graph, change: Difference | None, written: Sequence[Path]) -> None:
    lines = [*facts(graph).lines]
    if change is not None:
        sums = ", ".join(f"{verdict} {time_text(ns)}" for verdict, ns in change.sums_ns().items() if ns)
        lines.append(f"difference {time_text(change.delta_ns)}: {sums or 'none'}")
    lines.append(
        f"written: {next(path for path in reversed(written) if path.suffix == '.html')} and {len(written) - 1} more"
    )
    print(*(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
