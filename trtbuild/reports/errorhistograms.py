"""Figures of how errors are distributed: lines over log10 |error|, one for each hop or variant.

The bins have fixed edges, so that builds can be overlaid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from trtbuild.documents.deviation import Histogram
from trtbuild.reports.figure import Chart, Figure, Trace, plot, rounded, table

# Okabe-Ito colours, distinguishable with any colour vision; the total is dashed, as it mostly covers its main hop.
LINES: dict[str, dict[str, Any]] = {
    "export": {"color": "#0072b2"},
    "ranges": {"color": "#cc79a7"},
    "precision": {"color": "#d55e00", "width": 3},
    "engine": {"color": "#009e73"},
    "total": {"color": "#888888", "dash": "dash"},
}
SHORT = {
    "export": "exporter",
    "ranges": "symmetric ranges",
    "precision": "precision",
    "engine": "TensorRT",
    "total": "total",
}
EXACT_AT = -13.0  # where the bar of exact equality stands, left of the smallest bin
SHARE_OF_LIMIT = {"max_abs": None, "p999_abs": 0.001, "p99_abs": 0.01, "median_abs": 0.5}
Looks = Mapping[str, Mapping[str, Any]]  # how each line is drawn


def histogram(
    histograms: Mapping[str, Histogram], edges: Sequence[float], lines: Looks = LINES, names: Mapping[str, str] = SHORT
) -> Figure:
    """Distribution of log10 |error|: one line for each key of ``histograms``, all on the same fixed ``edges``.

    ``lines`` and ``names`` say how each key is drawn and named; Plotly reads names as markup, so escape foreign text.
    """
    width = edges[1] - edges[0]
    data: list[Trace] = []
    for i, (hop, h) in enumerate(histograms.items()):
        counts = [h["below"], *h["counts"], h["above"]]
        used = [k for k, count in enumerate(counts) if count]
        group = {"name": names[hop], "legendgroup": hop}
        low, high = (max(0, used[0] - 1), min(len(counts), used[-1] + 2)) if used else (0, 0)
        data.append(
            {"type": "scatter", "mode": "lines", "line": {"shape": "hvh", **lines[hop]}, **group,
             "x0": round(edges[0] + (low - 0.5) * width, 4), "dx": width,
             "y": [count or None for count in counts[low:high]]}
        )  # fmt: skip
        apart = min(0.3, 1.2 / len(histograms))
        bar = {"x": [round(EXACT_AT + apart * (i - (len(histograms) - 1) / 2), 4)], "y": [h["zero"] or None]}
        marker = {"color": lines[hop]["color"]}
        data.append(
            {"type": "bar", "width": round(apart / 1.2, 4), "marker": marker, "showlegend": False, **group, **bar}
        )
    rows = [
        [label, *(sum(_all(h)[start:stop]) for h in histograms.values())]
        for label, start, stop in _decades(histograms, edges)
    ]
    chart = plot("Distribution of |error|", data, "log10 |error|", "elements", log_y=True)
    chart["layout"]["xaxis"] |= _exact_ticks(data)
    caption = "Exact equality is set apart, on the left. The edges are fixed, so that builds can be overlaid."
    head = ["|error|", *(names[key] for key in histograms)]
    return {"chart": chart, "caption": caption, "table": table(head, rows)}


def _exact_ticks(data: Sequence[Trace]) -> Chart:
    """Ticks at the whole decades that have elements, and the label for the bar of exact equality."""
    lines = [trace for trace in data if trace["type"] == "scatter" and trace["y"]]
    low = min((math.floor(t["x0"]) for t in lines), default=-12)
    high = max((math.ceil(t["x0"] + t["dx"] * len(t["y"])) for t in lines), default=0)
    step = max(1, -(-(high - low) // 7))
    values = [float(v) for v in range(high, low - 1, -step)][::-1]
    exact = any(trace["type"] == "bar" and trace["y"][0] for trace in data)
    shift = min(EXACT_AT, low - 1.0) if exact else low
    if exact:
        values, texts = [EXACT_AT, *values], ["exact", *(f"{v:g}" for v in values)]
    else:
        texts = [f"{v:g}" for v in values]
    return {"tickvals": values, "ticktext": texts, "range": [shift - 0.7, high + 0.3]}


def above(
    histograms: Mapping[str, Histogram], edges: Sequence[float], limits: Mapping[str, float], lines: Looks = LINES,
    names: Mapping[str, str] = SHORT,
) -> Figure:  # fmt: skip
    """Share of the elements above an error (complementary CDF), with the limits drawn; see :func:`histogram`."""
    data: list[Trace] = []
    shares = {hop: _shares(h) for hop, h in histograms.items()}
    for hop, share in shares.items():
        positive = [k for k, value in enumerate(share) if value]
        low = max([k for k in positive if share[k] == share[0]], default=0)
        end = positive[-1] + 2 if positive else 0
        data.append(
            {"type": "scatter", "mode": "lines", "line": lines[hop], "name": names[hop], "x0": edges[low],
             "dx": edges[1] - edges[0], "y": [rounded(v) or None for v in share[low : end]]}
        )  # fmt: skip
    shapes: list[Trace] = []
    notes: list[Trace] = []
    for metric, limit in limits.items():
        if limit > 0:
            x, part = math.log10(limit), SHARE_OF_LIMIT[metric]
            if part is None:
                line = {"width": 2, "dash": "dot", "color": "#cc79a7"}
                shapes.append({"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line})
                place = {"x": x, "y": 0, "yref": "paper", "yanchor": "bottom", "xanchor": "right"}
                notes.append({**place, "showarrow": False, "text": f"limit {limit:g}"})
            else:
                data.append({"type": "scatter", "mode": "markers", "name": f"{metric} limit", "x": [x], "y": [part],
                             "marker": {"color": "#cc79a7", "size": 10, "symbol": "triangle-left"}})  # fmt: skip
    chart = plot("Share of elements above an error", data, "log10 |error|", "share", log_y=True)
    chart["layout"] |= {"shapes": shapes, "annotations": notes}
    step, last = _per_decade(edges), len(edges) - 1
    rows = [
        [f"1e{round(edges[k])}", *(f"{100 * share[k]:.4g} %" for share in shares.values())]
        for k in range(0, last + 1, step)
        if any(share[max(k - step, 0)] != share[min(k + step, last)] for share in shares.values())
    ]
    caption = "Errors right of the limit break it." if shapes else "No limit is set on the largest error here."
    head = ["above", *(names[key] for key in histograms)]
    return {"chart": chart, "caption": caption, "table": table(head, rows)}


def _all(h: Histogram) -> list[int]:
    """All counts in order: zero, below, the bins, above."""
    return [h["zero"], h["below"], *h["counts"], h["above"]]


def _shares(h: Histogram) -> list[float]:
    """Share of the elements above each edge."""
    counts = _all(h)
    total, left, made = sum(counts), h["above"], [h["above"]]
    for count in reversed(h["counts"]):
        left += count
        made.append(left)
    return [value / total if total else 0.0 for value in reversed(made)]


def _per_decade(edges: Sequence[float]) -> int:
    return round(1 / (edges[1] - edges[0]))


def _decades(histograms: Mapping[str, Histogram], edges: Sequence[float]) -> list[tuple[str, int, int]]:
    """Label and range of bins (in the order of :func:`_all`) of every decade that is not empty, and of the rest."""
    step = _per_decade(edges)
    whole = [(f"1e{round(a)} – 1e{round(b)}", 2 + step * i, 2 + step * (i + 1))
             for i, (a, b) in enumerate(pairwise(edges[::step]))]  # fmt: skip
    last = 2 + len(edges) - 1
    spans = [
        ("exact", 0, 1),
        (f"below 1e{round(edges[0])}", 1, 2),
        *whole,
        (f"above 1e{round(edges[-1])}", last, last + 1),
    ]
    return [span for span in spans if any(sum(_all(h)[span[1] : span[2]]) for h in histograms.values())]
