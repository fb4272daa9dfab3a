"""Layer profiles: trtexec --exportProfile of 8.4 to 11.1, raw IProfiler samples, trace events.

Forms: a list ``[{"count": N}, {"name", "timeMs", "averageMs", "medianMs", "percentage"}, …]`` (trtexec; older files
have no median); ``{layer: [ms, …]}``; a list of runs, each ``{layer: ms}``, ``[[layer, ms], …]`` or
``[{"name", "ms"}, …]``; trace events.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.reading import milliseconds, parse_json, read_text, refuse
from trtbuild.latency.flame.trace import is_trace, read_trace
from trtbuild.latency.flame.values import Profile, Row, rounded

EXPECTED = "a layer profile (trtexec --exportProfile, IProfiler samples or an ONNX Runtime profile)"
# trtexec writes a layer's name as it is, unescaped (sampleReporting.cpp, 8.4 to 11.1), and `nan` for a share of 0.
_NUMBER = r"[-+]?(?:nan(?:\(\w*\))?|inf|\d+(?:\.\d*)?(?:[eE][-+]?[0-9]+)?)"  # Windows prints -nan(ind)
_LINE = re.compile(rf'^\s*,?\s*\{{ "name" : "(.*)"((?:, "\w+" : {_NUMBER})+) \}},?\s*$', re.DOTALL)
_FIELD = re.compile(rf'"(\w+)" : ({_NUMBER})')
_COUNT = re.compile(r'^\s*,?\s*\{ "count" : (\d+) \},?\s*$')
_TIMES = ("averageMs", "timeMs", "medianMs")
_WRAPPED = ("profile", "Profile", "layers", "layer_times")
_MOST_RUNS = 10**12  # no profiler counted as many iterations
NS = 1e6  # nanoseconds in a millisecond


def read_profile(source: Path | str | Sequence[object] | Mapping[str, object]) -> Profile:
    """A profile from a file or from parsed JSON.

    Times are means over the iterations; integer nanoseconds whose sum is the rounded sum of the file's own numbers.

    Raises:
        ConfigError: the file is missing, broken or of another kind, or a time is negative or not a number.
    """
    if not isinstance(source, (str, Path)):
        return _profile(source, "profile")
    where = str(source)
    text = read_text(source)
    entries = _trtexec_lines(text)
    return _profile(parse_json(text, where, EXPECTED, unique=True) if entries is None else entries, where)


def _trtexec_lines(text: str) -> list[object] | None:
    """The entries of a file in trtexec's own layout, names as they are in the engine; None for any other file."""
    body = text.strip()
    if not body.startswith("[") or not body.endswith("]"):
        return None
    entries: list[object] = []
    for line in re.split(r'\n(?=\s*,?\s*\{ ")', body[1:-1].strip("\n\r ")):
        counted, row = _COUNT.match(line), _LINE.match(line)
        if counted:
            entries.append({"count": int(counted[1])})
        elif row:
            entries.append(
                {"name": row[1]} | {key: float(value.partition("(")[0]) for key, value in _FIELD.findall(row[2])}
            )
        else:
            return None
    return entries


def _profile(content: object, where: str) -> Profile:
    if isinstance(content, Mapping):
        wrapped = [content[key] for key in _WRAPPED if isinstance(content.get(key), (list, dict))]
        if len(wrapped) == 1 and not is_trace(content):
            content = wrapped[0]
    if is_trace(content):
        profile = read_trace(content, where)
    elif isinstance(content, list) and any(isinstance(e, Mapping) and _is_layer(e) for e in content):
        profile = _trtexec(content, where)
    elif content in ([], {}) or (isinstance(content, list) and all(_is_count(e) for e in content)):
        raise ConfigError("the profile holds no layer", where=where, hint=f"expected {EXPECTED}")
    elif isinstance(content, Mapping) and all(_is_samples(values) for values in content.values()):
        profile = _samples(content.items(), where)
    elif isinstance(content, list) and all(_is_run(run) for run in content):
        profile = _runs([_pairs(run) for run in content], where)
    else:
        refuse(content, where, EXPECTED)
    if profile.total_ns == 0:
        count = "" if profile.iterations is None else f" (count {profile.iterations})"
        raise ConfigError(
            f"no layer of the profile has any time{count}", where=where, hint="profile one iteration or more"
        )
    return profile


def _is_layer(entry: Mapping[str, object]) -> bool:
    return "name" in entry and "ph" not in entry and any(key in entry for key in _TIMES)


def _is_count(entry: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(entry, Mapping) and set(entry) == {"count"}


def _trtexec(entries: Sequence[object], where: str) -> Profile:
    count = next((entry["count"] for entry in entries if _is_count(entry)), None)
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < _MOST_RUNS):
        raise ConfigError(f"entry 0: 'count' is {count!r:.60}, expected the number of iterations", where=where)
    names, times, medians = [], [], []
    for i, entry in enumerate(entries):
        if _is_count(entry):
            continue
        if not isinstance(entry, Mapping) or not _is_layer(entry) or not isinstance(entry["name"], str):
            raise ConfigError(f"entry {i}: expected a layer with 'name' and 'averageMs'", where=where)
        label = f"entry {i} ({entry['name'][:80]!r})"
        names.append(entry["name"])
        times.append(_mean_ms(entry, count, where, label))
        median = entry.get("medianMs")
        medians.append(None if median is None or count == 0 else milliseconds(median, where, label))
    ns = rounded([round(t * NS, 3) for t in times])
    rows = (
        Row(name, time, None if median is None else round(median * NS))
        for name, time, median in zip(names, ns, medians, strict=True)
    )
    return Profile(where, "trtexec", tuple(rows), count or None)


def _mean_ms(entry: Mapping[str, object], count: int | None, where: str, label: str) -> float:
    """averageMs; where a file has none, timeMs over the count."""
    total = entry.get("timeMs")
    if count == 0 and total == 0:
        return 0.0  # nothing was measured: the mean is trtexec's 0/0
    if entry.get("averageMs") is None and total is not None:
        return milliseconds(total, where, label) / (count or 1)
    return milliseconds(entry.get("averageMs", entry.get("medianMs")), where, label)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_samples(value: object) -> TypeGuard[list[float]]:
    return isinstance(value, list) and all(_is_number(v) for v in value)


def _is_run(run: object) -> TypeGuard[Mapping[str, float] | list[object]]:
    if isinstance(run, Mapping):
        return bool(run) and "computeMs" not in run and all(_is_number(v) for v in run.values())
    return isinstance(run, list) and bool(run) and all(_pair(entry) is not None for entry in run)


def _pair(entry: object) -> tuple[str, float] | None:
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and _is_number(entry[1]):
        return entry[0], entry[1]
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
        values = [entry[key] for key in ("ms", "timeMs", "time_ms", "duration_ms") if _is_number(entry.get(key))]
        return (entry["name"], values[0]) if values else None
    return None


def _pairs(run: Mapping[str, float] | list[object]) -> list[tuple[str, float]]:
    if isinstance(run, Mapping):
        return list(run.items())
    return [pair for entry in run if (pair := _pair(entry)) is not None]


def _runs(runs: Sequence[Sequence[tuple[str, float]]], where: str) -> Profile:
    """Runs of the same layers in the same order: joined by position, as the profiler calls them."""
    first = [name for name, _ in runs[0]]
    for i, run in enumerate(runs):
        names = [name for name, _ in run]
        if names != first:
            at = next(
                (k for k, (a, b) in enumerate(zip(first, names, strict=False)) if a != b), min(len(first), len(names))
            )
            raise ConfigError(f"run {i} has other layers than run 0, from layer {at} on", where=where)
    return _samples([(name, [run[k][1] for run in runs]) for k, name in enumerate(first)], where)


def _samples(layers: Iterable[tuple[str, list[float]]], where: str) -> Profile:
    """Layer -> milliseconds of every call.  A name that the engine has twice was called twice in an iteration."""
    checked = [
        (n, [milliseconds(v, where, f"layer {n[:80]!r}, sample {i}") for i, v in enumerate(vs)]) for n, vs in layers
    ]
    counts = {len(values) for _, values in checked if values}
    least = min(counts, default=0)
    regular = all(count % least == 0 for count in counts)
    names, series, times = [], [], []
    for name, values in checked:
        names.append(name)
        calls = len(values) // least if regular and values else 1
        each = [math.fsum(values[i : i + calls]) for i in range(0, len(values), calls)]
        series.append(tuple(round(v * NS) for v in each))
        times.append(math.fsum(each) / len(each) if each else 0.0)
    ns = rounded([round(t * NS, 3) for t in times])
    rows = tuple(
        Row(name, time, round(statistics.median(each)) if each else None, each)
        for name, time, each in zip(names, ns, series, strict=True)
    )
    return Profile(where, "samples", rows, least or None)
