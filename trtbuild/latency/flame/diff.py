"""Two graphs on their common scopes: what appeared, vanished, grew and shrank, adding up to the whole difference."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from trtbuild.latency.flame.attribute import MYELIN, REFORMAT
from trtbuild.latency.flame.values import Graph, Piece, Scope

Verdict = Literal["appeared", "vanished", "grown", "shrunk", "within noise"]
VERDICTS: tuple[Verdict, ...] = ("appeared", "vanished", "grown", "shrunk", "within noise")
RELATIVE_BAND, ABSOLUTE_BAND_NS = 0.03, 2048  # two steps of the GPU's event timer (1.024 us on RTX 3060 and 3090)
LEAST_SAMPLES = 5
Z95 = 1.96


@dataclass(frozen=True)
class Change:
    """One scope: its own time before and after; the interval of the difference where there are samples."""

    scope: Scope
    old_ns: int
    new_ns: int
    verdict: Verdict
    interval_ns: tuple[int, int] | None = None

    @property
    def delta_ns(self) -> int:
        return self.new_ns - self.old_ns


@dataclass(frozen=True)
class Difference:
    """``changes`` are sorted by the size of the change; their deltas add up to ``delta_ns``."""

    new: Graph
    old: Graph
    changes: tuple[Change, ...]
    band: str

    @property
    def delta_ns(self) -> int:
        return self.new.total_ns - self.old.total_ns

    def sums_ns(self) -> dict[Verdict, int]:
        return {v: sum(c.delta_ns for c in self.changes if c.verdict == v) for v in VERDICTS}


def key(piece: Piece) -> Scope:
    """What two builds are joined on: the scope; the name where there is none.  A reformat belongs to its scope."""
    if piece.kind == "reformat":
        return piece.scope or (REFORMAT,)
    if piece.kind == "myelin" and piece.label == MYELIN:
        return (*piece.scope, MYELIN)
    return piece.scope if piece.scope and not piece.scope[0].startswith("[") else (*piece.scope, piece.label)


def difference(new: Graph, old: Graph) -> Difference:
    """``new`` compared with ``old``, scope by scope, after both sides' rename rules.

    Within noise: where both sides have samples, the 95 % interval of the difference of means contains 0 (samples of one
    scope are added up by iteration; their number is reduced by their lag-1 autocorrelation).  Elsewhere, a change of at
    most 3 % of the larger side or 2.048 us.
    """
    sides = [_by_key(new), _by_key(old)]
    series = [_series(new), _series(old)]
    sampled = all(series)
    changes = []
    for scope in dict.fromkeys([*sides[0], *sides[1]]):
        new_ns, old_ns = sides[0].get(scope, 0), sides[1].get(scope, 0)
        a, b = series[0].get(scope), series[1].get(scope)
        interval = _interval(a, b) if a and b else None
        changes.append(Change(scope, old_ns, new_ns, _verdict(old_ns, new_ns, interval), interval))
    changes.sort(key=lambda change: (-abs(change.delta_ns), change.scope))
    band = f"within {100 * RELATIVE_BAND:g} % or {ABSOLUTE_BAND_NS / 1e3:g} µs"
    if sampled:
        band = "95 % interval of the change contains 0"
    return Difference(new, old, tuple(changes), band)


def _by_key(graph: Graph) -> dict[Scope, int]:
    found: dict[Scope, int] = defaultdict(int)
    for piece in graph.pieces:
        found[key(piece)] += piece.time_ns
    return dict(found)


def _verdict(old_ns: int, new_ns: int, interval: tuple[int, int] | None) -> Verdict:
    if old_ns == 0:
        return "appeared"
    if new_ns == 0:
        return "vanished"
    delta = new_ns - old_ns
    if interval is not None:
        quiet = interval[0] <= 0 <= interval[1]
    else:
        quiet = abs(delta) <= max(RELATIVE_BAND * max(old_ns, new_ns), ABSOLUTE_BAND_NS)
    if quiet:
        return "within noise"
    return "grown" if delta > 0 else "shrunk"


def _series(graph: Graph) -> dict[Scope, list[float]]:
    """Time of each scope in each iteration; empty unless every layer has a sample for every iteration."""
    rows = graph.profile.rows
    counts = {len(rows[piece.row].samples_ns) for piece in graph.pieces}
    if len(counts) != 1 or min(counts) < LEAST_SAMPLES:
        return {}
    found: dict[Scope, list[float]] = {}
    for piece in graph.pieces:
        row = rows[piece.row]
        part = piece.time_ns / row.time_ns
        total = found.setdefault(key(piece), [0.0] * len(row.samples_ns))
        for i, sample in enumerate(row.samples_ns):
            total[i] += sample * part
    return found


def _interval(new: list[float], old: list[float]) -> tuple[int, int]:
    """Of the difference of means, by the normal approximation."""
    middle = statistics.fmean(new) - statistics.fmean(old)
    half = Z95 * math.sqrt(_squared_error(new) + _squared_error(old))
    return math.floor(middle - half), math.ceil(middle + half)


def _squared_error(values: list[float]) -> float:
    """Of the mean; n (1 - r) / (1 + r) samples count, r the lag-1 autocorrelation (of a first-order process)."""
    mean, n = statistics.fmean(values), len(values)
    centred = [value - mean for value in values]
    spread = math.fsum(c * c for c in centred)
    if spread == 0:
        return 0.0
    r = max(0.0, min(0.99, math.fsum(a * b for a, b in itertools.pairwise(centred)) / spread))
    return spread / (n - 1) / max(1.0, n * (1 - r) / (1 + r))
