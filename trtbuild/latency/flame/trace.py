"""Trace events as a profile: ONNX Runtime's session profile, and engines' own dumps in that format."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.reading import milliseconds
from trtbuild.latency.flame.values import Profile, Row, rounded

_SUFFIX = "_kernel_time"
_FENCES = ("_fence_before", "_fence_after")
_LAST_US = 1e18  # no clock shows this: 30,000 years
US = 1e3  # nanoseconds in a microsecond
Key = tuple[str, str]  # layer and node index


def is_trace(content: object) -> bool:
    return any(isinstance(e, Mapping) and "ph" in e and "name" in e for e in _events(content))


def _events(content: object) -> list[object]:
    events = content.get("traceEvents") if isinstance(content, Mapping) else content
    return events if isinstance(events, list) else []


def read_trace(content: object, where: str) -> Profile:
    """Events ``{name, ph: "X", ts, dur, tid, cat, args}`` in microseconds; the first of several runs is warm-up.

    A node's time is its own: what ran inside it on the same thread (the body of an If or a Loop) is taken off.
    """
    complete = [(i, e) for i, e in enumerate(_events(content)) if isinstance(e, Mapping) and e.get("ph") == "X"]
    nodes = [(i, e) for i, e in complete if e.get("cat") == "Node"]
    onnxruntime = bool(nodes)
    if not onnxruntime:
        nodes = [(i, e) for i, e in complete if e.get("cat") != "Session"]
    nodes = [(i, e) for i, e in nodes if not str(e.get("name")).endswith(_FENCES)]
    if not nodes:
        raise ConfigError("the trace has no node event", where=where, hint="expected 'Node' events of a session run")
    timed = _self_times([_timed(i, e, where) for i, e in nodes])
    runs = [_timed(i, e, where) for i, e in complete if e.get("cat") == "Session" and e.get("name") == "model_run"]
    runs.sort(key=lambda run: run.start)
    groups = _by_run(timed, runs) if runs else _by_recurrence(timed)
    warm = 1 if len(groups) > 1 and onnxruntime else 0
    latencies = [run.duration for run in runs][warm:]
    latency_ms = math.fsum(latencies) / len(latencies) / 1e3 if latencies else None
    return Profile(
        where, "onnxruntime" if onnxruntime else "samples", _rows(groups[warm:]), len(groups) - warm, latency_ms
    )


class _Timed:
    """An event's key and times in microseconds; ``own`` is the duration less what is nested in it."""

    def __init__(self, key: Key, op: str, thread: str, start: float, duration: float) -> None:
        self.key, self.op, self.thread = key, op, thread
        self.start, self.duration, self.own = start, duration, duration


def _timed(i: int, event: Mapping[str, object], where: str) -> _Timed:
    name = event.get("name")
    label = f"event {i} ({str(name)[:80]!r})"
    if not isinstance(name, str):
        raise ConfigError(f"{label}: expected a name", where=where)
    duration = milliseconds(event.get("dur"), where, label)  # the same checks; the unit is microseconds
    start = event.get("ts", 0)
    # An int beyond a float's range would raise OverflowError.
    start = float(start) if isinstance(start, (int, float)) and abs(start) < _LAST_US else 0.0
    args = event.get("args")
    args = args if isinstance(args, Mapping) else {}
    key = (name.removesuffix(_SUFFIX), str(args.get("node_index", "")))
    return _Timed(key, str(args.get("op_name", "")), str(event.get("tid")), start, duration)


def _self_times(events: list[_Timed]) -> list[_Timed]:
    open_: dict[str, list[_Timed]] = defaultdict(list)
    ordered = sorted(range(len(events)), key=lambda i: (events[i].start, -events[i].duration, i))
    for i in ordered:
        event, stack = events[i], open_[events[i].thread]
        while stack and stack[-1].start + stack[-1].duration <= event.start:
            stack.pop()
        if stack and event.start + event.duration <= stack[-1].start + stack[-1].duration:
            stack[-1].own = max(0.0, stack[-1].own - event.duration)
        if event.duration:
            stack.append(event)
    return [events[i] for i in ordered]


def _by_run(nodes: Sequence[_Timed], runs: Sequence[_Timed]) -> list[list[_Timed]]:
    import bisect

    starts = [run.start for run in runs]
    groups: list[list[_Timed]] = [[] for _ in runs]
    for node in nodes:
        groups[max(0, bisect.bisect_right(starts, node.start) - 1)].append(node)
    return [group for group in groups if group]


def _by_recurrence(nodes: Sequence[_Timed]) -> list[list[_Timed]]:
    """A new run begins where the first layer recurs, as trtexec's own profiler counts."""
    groups: list[list[_Timed]] = []
    for node in nodes:
        if not groups or node.key == groups[0][0].key:
            groups.append([])
        groups[-1].append(node)
    return groups


def _rows(runs: Sequence[Sequence[_Timed]]) -> tuple[Row, ...]:
    spent: dict[tuple[Key, int], list[float]] = {}
    ops: dict[tuple[Key, int], str] = {}
    for k, run in enumerate(runs):
        seen: dict[Key, int] = defaultdict(int)
        for node in run:
            place = (node.key, seen[node.key])
            seen[node.key] += 1
            spent.setdefault(place, [0.0] * len(runs))[k] += node.own
            ops.setdefault(place, node.op)
    ns = rounded([math.fsum(each) / len(runs) * US for each in spent.values()])
    return tuple(
        Row(place[0][0], time, round(statistics.median(each) * US), tuple(round(v * US) for v in each), ops[place])
        for (place, each), time in zip(spent.items(), ns, strict=True)
    )
