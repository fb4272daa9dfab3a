"""Which scope a layer's time belongs to: every nanosecond to exactly one, in every mode.

anchor: all of it to the member that costs most (see ``members.cost``) and has a scope, the first among equals.
split: in equal parts to the members that have a scope.
macs: in proportion to arithmetic: the layer's multiply-accumulates in equal parts to its convolutions and products, one
for each output element to every other member.
In every mode reformats go to their consumer's anchor as ``[reformat]`` and Myelin regions to the lowest scope that
holds both their ends as ``[myelin]``; what has no author is under ``[tensorrt]`` or ``[myelin]`` at the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.layers import join, without_profile
from trtbuild.latency.flame.members import Names, Parsed, parse
from trtbuild.latency.flame.rename import renamed
from trtbuild.latency.flame.values import (
    MODES,
    Graph,
    Kind,
    Layer,
    Member,
    Mode,
    Piece,
    Profile,
    Reformats,
    Row,
    Rule,
    Scope,
    shared,
)

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

REFORMAT, MYELIN, TENSORRT, UNNAMED = "[reformat]", "[myelin]", "[tensorrt]", "(unnamed)"
MAX_DEPTH = 40  # deeper components stay together in the last one


def flame_graph(
    profile: Profile,
    layers: Sequence[Layer] | None = None,
    scopes: ScopeMap | None = None,
    mode: Mode = "anchor",
    rename: Sequence[Rule] = (),
    latency_ms: float | None = None,
    latency_source: str = "",
    reformats: Reformats = "inside",
) -> Graph:
    """Attribute every layer.

    Args:
        profile: layer times; layers: of the same engine; scopes: a build's own map from ONNX node to TensorFlow path.
        rename: (regex, replacement) on scopes; latency_ms: of the whole run, measured without the profiler.
        reformats: "inside" their consumer's scope, or "apart" under one root frame.

    Raises:
        ConfigError: the profile is not of these layers, or ``mode`` needs layers that are not given.
    """
    if mode not in MODES:
        raise ConfigError(f"unknown mode '{mode}'", where="--mode", hint=f"valid: {', '.join(MODES)}")
    if mode == "macs" and not any(layer.output_elements for layer in layers or ()):
        raise ConfigError(
            "mode macs needs the layers' dimensions",
            where="--mode macs",
            hint="give a detailed layer file (--profilingVerbosity=detailed) with --layers",
        )
    joined: Sequence[Layer | None] = (
        [None] * len(profile.rows) if layers is None else join(profile.rows, layers, profile.source)
    )
    names = Names(scopes)
    parsed = [parse(row, layer, names) for row, layer in zip(profile.rows, joined, strict=True)]
    pieces: list[Piece] = []
    several = reformat = lost = parallel = 0
    for i, (row, layer, what) in enumerate(zip(profile.rows, joined, parsed, strict=True)):
        if row.time_ns == 0:
            continue
        made = _pieces(i, row, layer, what, mode, rename, reformats)
        pieces += made
        several += row.time_ns if _of_several_scopes(what, names) else 0
        reformat += row.time_ns if what.kind == "reformat" else 0
        lost += sum(p.time_ns for p in made if p.kind != "reformat" and _rootless(p))
        parallel += row.time_ns if layer and layer.stream > 0 else 0
    if latency_ms is None and profile.latency_ms is not None:
        latency_ms, latency_source = profile.latency_ms, "the profile's own runs"
    members = tuple(tuple(said for name in what.names for said in (name, *names.folded(name))) for what in parsed)
    return Graph(
        profile, mode, reformats, tuple(rename), tuple(pieces), members, latency_ms,
        latency_source, several, reformat, lost, parallel,
    )  # fmt: skip


def _rootless(piece: Piece) -> bool:
    return not piece.scope or piece.scope[0] in (TENSORRT, MYELIN)


def _of_several_scopes(what: Parsed, names: Names) -> bool:
    """Whether all that was fused, weights and quantisation included, comes from more than one scope."""
    paths = (path for name in what.names for path in (names.member(name).path, *names.folded(name)))
    return len({_scope(path) for path in paths} - {()}) > 1


def _scope(path: str) -> Scope:
    return tuple(path.split("/")[:-1])


def _scope_of(member: Member) -> Scope:
    return _scope(member.path)


def _pieces(
    i: int, row: Row, layer: Layer | None, what: Parsed, mode: Mode, rules: Sequence[Rule], reformats: Reformats
) -> list[Piece]:
    def piece(scope: Scope, label: str, time_ns: int, kind: Kind = what.kind) -> Piece:
        if len(scope) > MAX_DEPTH:
            scope = (*scope[: MAX_DEPTH - 1], "/".join(scope[MAX_DEPTH - 1 :]))
        return Piece(i, scope, label or UNNAMED, kind, time_ns)

    scoped = [member for member in what.members if "/" in member.path]
    if what.kind == "tensorrt" or (what.kind == "myelin" and not what.members):
        root = TENSORRT if what.kind == "tensorrt" else MYELIN
        return [piece((root,), without_profile(row.name), row.time_ns)]
    if what.kind == "myelin":
        return [piece(renamed(_common([_scope_of(m) for m in what.members]), rules), MYELIN, row.time_ns)]
    if what.kind == "reformat":
        scope = renamed(_scope_of(_anchor(scoped)), rules) if scoped else ()
        return [piece((REFORMAT, *scope) if reformats == "apart" and scope else scope, REFORMAT, row.time_ns)]
    if not scoped:
        label = _anchor(what.members).path if what.members else row.name
        return [piece((), label or row.name, row.time_ns)]
    chosen = [_anchor(scoped)] if mode == "anchor" else scoped
    weights = _macs_weights(chosen, layer) if mode == "macs" else [1] * len(chosen)
    parts = zip(chosen, shared(row.time_ns, weights), strict=True)
    return [piece(renamed(_scope_of(m), rules), m.path.split("/")[-1], time_ns) for m, time_ns in parts if time_ns]


def _anchor(members: Sequence[Member]) -> Member:
    return max(members, key=lambda member: member.cost)  # max gives the first among equals


def _macs_weights(members: Sequence[Member], layer: Layer | None) -> list[int]:
    """In multiply-accumulates; all equal where the file has no dimensions for the layer."""
    elements = (layer.output_elements if layer else None) or 0
    heavy = sum(member.cost == 3 for member in members)
    macs = layer.macs if layer else None
    if not elements or (heavy and not macs):
        return [1] * len(members)
    return [(macs or 0) // heavy if member.cost == 3 else elements for member in members]


def _common(scopes: Sequence[Scope]) -> Scope:
    shortest = min(scopes, key=len, default=())
    for k, part in enumerate(shortest):
        if any(scope[k] != part for scope in scopes):
            return shortest[:k]
    return shortest
