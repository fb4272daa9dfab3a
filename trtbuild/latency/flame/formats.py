"""Side files that other tools open: folded stacks, speedscope, Chrome trace, and the table as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TypedDict

from trtbuild.latency.flame.diff import Difference
from trtbuild.latency.flame.tree import TIMER_NS, Facts, facts, stack
from trtbuild.latency.flame.values import Graph, Piece, rounded, shared

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
TICKS_PER_US = 1024  # a power of two: such times add up exactly in binary floating point


class _TraceEvent(TypedDict):
    name: str
    cat: str
    ph: str
    ts: float
    dur: float
    pid: int
    tid: int


class TraceEvent(_TraceEvent, total=False):
    args: dict[str, object]


class ScopeRow(TypedDict):
    scope: str
    time_ns: int
    reformat_ns: int
    layers: int


class LayerPart(TypedDict):
    scope: str
    label: str
    kind: str
    time_ns: int


class LayerRow(TypedDict):
    index: int
    name: str
    time_ns: int
    median_ns: int | None
    members: list[str]
    below_timer_resolution: bool
    parts: list[LayerPart]


class Table(TypedDict):
    """All numbers of a graph, times in nanoseconds."""

    schema: int
    title: str
    summary: dict[str, object]
    scopes: list[ScopeRow]
    layers: list[LayerRow]


def clean(text: str) -> str:
    """Text that every format can hold: no control character, no lone surrogate, nothing XML 1.0 forbids."""
    if text.isprintable() and text.isascii():
        return text
    return "".join("\ufffd" if _illegal(ord(c)) else c for c in text)


def _illegal(code: int) -> bool:
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or 0xD800 <= code < 0xE000
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code < 0xFDF0
    )


def folded(graph: Graph) -> str:
    """``scope;scope;operation MICROSECONDS`` for each stack; integers whose sum is the rounded total."""
    stacks = _stacks(graph)
    lines = zip(stacks, rounded([time_ns / 1e3 for time_ns in stacks.values()]), strict=True)
    return "".join(f"{_folded_name(path)} {us}\n" for path, us in lines if us)


def folded_difference(change: Difference) -> str:
    """``stack OLD NEW`` in microseconds, as differential flame graph tools read it; each column has its own total."""
    old, new = _stacks(change.old), _stacks(change.new)
    paths = [*new, *(path for path in old if path not in new)]
    columns = [rounded([side.get(path, 0) / 1e3 for path in paths]) for side in (old, new)]
    return "".join(f"{_folded_name(p)} {a} {b}\n" for p, a, b in zip(paths, *columns, strict=True) if a or b)


def _folded_name(path: tuple[str, ...]) -> str:
    return ";".join(clean(part).replace(";", ",").replace("\u2028", " ").replace("\u2029", " ") for part in path)


def _stacks(graph: Graph) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = defaultdict(int)
    for piece in graph.pieces:
        found[stack(piece)] += piece.time_ns
    return dict(found)


def speedscope(graphs: Sequence[tuple[str, Graph]]) -> str:
    """One sampled profile for each graph, layers in execution order, weights in nanoseconds."""
    frames: dict[str, int] = {}
    profiles = []
    for name, graph in graphs:
        samples = [[frames.setdefault(clean(part), len(frames)) for part in stack(piece)] for piece in graph.pieces]
        weights = [piece.time_ns for piece in graph.pieces]
        profiles.append(
            {"type": "sampled", "name": clean(name), "unit": "nanoseconds", "startValue": 0, "endValue": sum(weights),
             "samples": samples, "weights": weights}
        )  # fmt: skip
    document = {"$schema": SPEEDSCOPE_SCHEMA, "exporter": "trtbuild", "name": clean(graphs[0][0]),
                "activeProfileIndex": 0, "shared": {"frames": [{"name": name} for name in frames]},
                "profiles": profiles}  # fmt: skip
    return _json(document)


def chrome_trace(graph: Graph, title: str) -> str:
    """Complete events in execution order: neighbours in a scope share its event, so nesting is perfect.

    Times are multiples of 1/1024 microsecond, which binary floating point adds up without error; ``time_ns`` is exact.
    """
    total = round(graph.total_ns * TICKS_PER_US / 1e3)
    ticks = shared(total, [piece.time_ns for piece in graph.pieces])
    events: list[TraceEvent] = []
    open_: list[TraceEvent] = []
    names: list[str] = []
    now = 0
    for piece, width in zip(graph.pieces, ticks, strict=True):
        path = stack(piece)
        same = 0
        while same < min(len(names), len(path) - 1) and names[same] == path[same]:
            same += 1
        del open_[same:], names[same:]
        for part in path[same:-1]:
            event: TraceEvent = {
                "name": clean(part),
                "cat": "scope",
                "ph": "X",
                "ts": now,
                "dur": 0,
                "pid": 1,
                "tid": 1,
            }
            events.append(event)
            open_.append(event)
            names.append(part)
        args = {"layer": clean(graph.profile.rows[piece.row].name), "kind": piece.kind, "time_ns": piece.time_ns}
        events.append({"name": clean(path[-1]), "cat": piece.kind, "ph": "X", "ts": now, "dur": width, "pid": 1,
                       "tid": 1, "args": args})  # fmt: skip
        for event in open_:
            event["dur"] += width
        now += width
    for event in events:
        event["ts"], event["dur"] = event["ts"] / TICKS_PER_US, event["dur"] / TICKS_PER_US
    process = {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": clean(title)}}
    return _json({"displayTimeUnit": "ns", "traceEvents": [process, *events]})


def table(graph: Graph, title: str) -> Table:
    """What the page's tables show."""
    rows = graph.profile.rows
    spent: dict[tuple[str, ...], list[Piece]] = defaultdict(list)
    by_row: dict[int, list[Piece]] = defaultdict(list)
    for piece in graph.pieces:
        spent[piece.scope].append(piece)
        by_row[piece.row].append(piece)
    scopes: list[ScopeRow] = [
        {"scope": clean("/".join(scope)), "time_ns": sum(p.time_ns for p in pieces),
         "reformat_ns": sum(p.time_ns for p in pieces if p.kind == "reformat"), "layers": len({p.row for p in pieces})}
        for scope, pieces in spent.items()
    ]  # fmt: skip
    scopes.sort(key=lambda entry: (-entry["time_ns"], entry["scope"]))
    layers: list[LayerRow] = [
        {"index": i, "name": clean(row.name), "time_ns": row.time_ns, "median_ns": row.median_ns,
         "members": [clean(m) for m in graph.members[i]], "below_timer_resolution": 0 < row.time_ns < TIMER_NS,
         "parts": [{"scope": clean("/".join(p.scope)), "label": clean(p.label), "kind": p.kind, "time_ns": p.time_ns}
                   for p in by_row.get(i, ())]}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return {"schema": 1, "title": clean(title), "summary": _summary(graph), "scopes": scopes, "layers": layers}


def _summary(graph: Graph) -> dict[str, object]:
    found: Facts = facts(graph)
    return {
        "what": "profiled layer time", "form": graph.profile.form, "mode": graph.mode, "reformats": graph.reformats,
        "rename": [list(rule) for rule in graph.rules], "total_ns": graph.total_ns,
        "iterations": graph.profile.iterations, "latency_ms": graph.latency_ms,
        "latency_source": graph.latency_source, "profiled_over_latency": found.ratio,
        "layers": len(graph.profile.rows), "zero_time_layers": graph.zero_rows, "multi_scope_ns": graph.multi_scope_ns,
        "reformat_ns": graph.reformat_ns, "unattributed_ns": graph.unattributed_ns,
        "parallel_stream_ns": graph.parallel_ns,
        "below_timer_resolution": found.tiny_layers, "below_timer_resolution_ns": found.tiny_ns,
    }  # fmt: skip


def difference_table(change: Difference, title: str) -> dict[str, object]:
    """All numbers of a difference; the deltas of ``changes`` add up to ``delta_ns``."""
    return {
        "schema": 1, "title": clean(title), "new": _summary(change.new), "old": _summary(change.old),
        "delta_ns": change.delta_ns, "noise_band": change.band, "sums_ns": change.sums_ns(),
        "changes": [
            {"scope": clean("/".join(c.scope)), "old_ns": c.old_ns, "new_ns": c.new_ns, "delta_ns": c.delta_ns,
             "verdict": c.verdict, "interval_ns": c.interval_ns}
            for c in change.changes
        ],
    }  # fmt: skip


def _json(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
