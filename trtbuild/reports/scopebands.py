"""Bands of TensorFlow scopes below a chart over layers: where in the network a point is, instead of its number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from trtbuild.reports.figure import Chart

MOST = 24  # labels that fit below a chart, rotated
_LABELS = 40  # that have room side by side
_LONGEST = 22  # characters of a label
_NO_SCOPE = "(no scope)"


@dataclass(frozen=True)
class Band:
    """Layers ``first`` to ``last`` in the chart's order."""

    label: str
    first: int
    last: int

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


def bands(scopes: Sequence[str], most: int = MOST) -> list[Band]:
    """Runs of layers that begin alike, as far down as at most ``most`` runs go; what all have in common is left out.

    >>> [b.label for b in bands(["net/block_1_expand", "net/block_1_project", "net/block_2_expand"], 2)]
    ['block_1', 'block_2']
    """
    parts = [re.findall(r"[/_]?[^/_]+", _below(scope, _shared(scopes))) for scope in scopes]
    deepest = max(map(len, parts), default=0)
    for depth in range(max(deepest, 1), 0, -1):
        runs = _runs(["".join(part[:depth]).lstrip("/_") or _NO_SCOPE for part in parts])
        if len(runs) <= most:
            return runs
    return _merged(runs, most) if scopes else []


def layout(found: Sequence[Band]) -> Chart:
    """The axis's labels, and every other band shaded."""
    shaded = [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": band.first - 0.5, "x1": band.last + 0.5, "y0": 0, "y1": 1,
         "fillcolor": "rgba(128,128,128,0.12)", "line": {"width": 0}, "layer": "below"}
        for band in found[1::2]
    ]  # fmt: skip
    named = _named(found)
    return {
        "shapes": shaded,
        "xaxis": {
            "title": {"text": "layers in topological order, by TensorFlow scope"},
            "range": [-0.5, (found[-1].last if found else 0) + 0.5], "showgrid": False, "zeroline": False,
            "tickvals": [band.middle for band in named], "tickangle": -60, "tickfont": {"size": 10},
            "ticktext": [escape(_short(band.label), quote=False) for band in named],
        },
    }  # fmt: skip


def _named(found: Sequence[Band]) -> list[Band]:
    """Bands with a label: the widest first, as long as labels do not touch."""
    apart = (found[-1].last + 1) / _LABELS if found else 0
    named: list[Band] = []
    for band in sorted(found, key=lambda band: (band.first - band.last, band.first)):
        if all(abs(band.middle - other.middle) >= apart for other in named):
            named.append(band)
    return sorted(named, key=lambda band: band.first)


def _shared(scopes: Sequence[str]) -> int:
    """The number of leading components that all scopes have in common; a scope keeps its last one."""
    paths = [scope.split("/") for scope in scopes if scope]
    count = 0
    while paths and all(len(path) > count + 1 and path[count] == paths[0][count] for path in paths):
        count += 1
    return count


def _below(scope: str, count: int) -> str:
    return "/".join(scope.split("/")[count:])


def _runs(labels: Sequence[str]) -> list[Band]:
    runs: list[Band] = []
    for i, label in enumerate(labels):
        if runs and runs[-1].label == label:
            runs[-1] = Band(label, runs[-1].first, i)
        else:
            runs.append(Band(label, i, i))
    return runs


def _merged(runs: Sequence[Band], most: int) -> list[Band]:
    """Neighbours in groups of about as many layers, named by the first and the last of them."""
    total = runs[-1].last + 1
    groups: list[list[Band]] = []
    for run in runs:
        if groups and run.first * most // total == groups[-1][0].first * most // total:
            groups[-1].append(run)
        else:
            groups.append([run])
    return [
        Band(group[0].label if len({run.label for run in group}) == 1 else f"{group[0].label} … {group[-1].label}",
             group[0].first, group[-1].last)
        for group in groups
    ]  # fmt: skip


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
