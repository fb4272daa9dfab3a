"""``trtbuild flamegraph``: turn a profiler's files into a folder of pictures; needs no workspace."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError
from trtbuild.cli import words
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

GROUP = "share"
HELP = "draw the layer times of any TensorRT or ONNX Runtime profile, by name scope"
EXAMPLES = """\
  trtbuild flamegraph profile.json --layers layers.json -o flame
  trtbuild flamegraph new.json --diff old.json -o flame
"""
REFORMATS: tuple[Reformats, ...] = ("inside", "apart")


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("profile", metavar="PROFILE.json", help="trtexec --exportProfile, IProfiler samples, or ONNX Runtime's profile")
    add("-o", "--output", metavar="DIR", required=True, help="the folder to write")
    add("--layers", metavar="LAYERS.json", help="layer information of the engine (trtexec --exportLayerInfo)")
    add("--mode", type=words.OneOf(MODES), default=MODES[0], metavar="|".join(MODES),
        help=f"how a fused layer's time is shared among its scopes (default: {MODES[0]})")  # fmt: skip
    add("--rename", action="append", default=[], metavar="REGEX=NEW", help="rename scopes; can be repeated")
    add("--times", metavar="FILE", help="times of the run (trtexec --exportTimes), for the true latency")
    add("--metadata", metavar="FILE", help="metadata from trtexec's log, for the same purpose")
    add("--scopes", metavar="FILE", help="scopes.json of a build")
    add("--reformat", type=words.OneOf(REFORMATS), default=REFORMATS[0], metavar="|".join(REFORMATS),
        help=f"show reformats inside their consumer's scope, or apart (default: {REFORMATS[0]})")  # fmt: skip
    add("--diff", metavar="OLD.json", help="the old profile to compare PROFILE with")
    add("--diff-layers", metavar="FILE", help="layer information of the old engine")
    add("--diff-scopes", metavar="FILE", help="scopes.json of the old build, if it differs")
    add("--title", help="heading of the page")
    words.json_option(parser)


def run(args: argparse.Namespace) -> int:
    """PROFILE is the new one; ``--diff`` names the old one it is compared with.

    Raises:
        ConfigError: a wrong word or file.  OSError: the folder cannot be written.
    """
    for name, value in (("--diff-layers", args.diff_layers), ("--diff-scopes", args.diff_scopes)):
        if value and not args.diff:
            raise ConfigError("needs --diff OLD_PROFILE.json", where=name)
    mode, reformats, rules = args.mode, args.reformat, parse_rules(args.rename)
    latency_ms, latency_source = read_latency(args.times, args.metadata)

    new = _graph(args.profile, args.layers, args.scopes, mode, rules, reformats, latency_ms, latency_source)
    change = None
    if args.diff:
        scopes = args.diff_scopes or args.scopes
        # The new engine's layer file does not fit the old one: without its own, the old one is attributed by names.
        layers = args.diff_layers
        if mode == "macs" and layers is None:
            raise ConfigError("mode macs needs the old engine's layers too", where="--diff", hint="add --diff-layers")
        change = difference(new, _graph(args.diff, layers, scopes, mode, rules, reformats, None, ""))
    title = args.title or Path(args.profile).name.removesuffix(".json")
    written = write_all(new, Path(args.output), title=title, templates=packaged.templates(Path.cwd()), change=change)
    if args.json:
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


def _say(graph: Graph, change: Difference | None, written: Sequence[Path]) -> None:
    lines = [*facts(graph).lines]
    if change is not None:
        sums = ", ".join(f"{verdict} {time_text(ns)}" for verdict, ns in change.sums_ns().items() if ns)
        lines.append(f"difference {time_text(change.delta_ns)}: {sums or 'none'}")
    lines.append(
        f"written: {next(path for path in reversed(written) if path.suffix == '.html')} and {len(written) - 1} more"
    )
    print(*(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
