"""The parts of every figure: a Plotly chart, a table of the same numbers, and numbers rounded to a few digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypedDict

Trace = dict[str, Any]  # Plotly's own form, which has no types: a trace, and a chart of them with its layout
Chart = dict[str, Any]


class Table(TypedDict):
    """The numbers of a chart."""

    head: list[str]
    rows: Sequence[Sequence[object]]


class Figure(TypedDict):
    """A chart, what it shows in a sentence, and its numbers."""

    chart: Chart
    caption: str
    table: Table


def plot(title: str, data: list[Trace], x: str, y: str, *, log_y: bool = False) -> Chart:
    """A chart of Plotly traces, with titled axes and the legend below."""
    return {
        "title": title,
        "data": data,
        "layout": {
            "margin": {"l": 55, "r": 10, "t": 25, "b": 45}, "height": 300,
            "xaxis": {"title": {"text": x}},
            "yaxis": {"title": {"text": y}, **({"type": "log", "exponentformat": "power"} if log_y else {})},
            "legend": {"orientation": "h", "y": -0.28},
        },
    }  # fmt: skip


def on_floor(chart: Chart) -> None:
    """Let values of 0 stand on a line of their own below all others of a logarithmic axis, which is labelled 0."""
    values = [value for trace in chart["data"] for value in trace["y"] if value]
    low, high = (math.log10(end) for end in (min(values, default=1.0), max(values, default=1.0)))
    line = math.floor(low) - 0.5  # between two decades, so that its label is not on another one
    if _stand(chart, 0, 10**line, {"y": line, "xanchor": "right", "xshift": -4, "yanchor": "middle", "text": "0"}):
        chart["layout"]["yaxis"]["range"] = [line - 0.3, high + 0.05 * (high - line) + 0.1]
        chart["layout"]["yaxis"]["dtick"] = max(1, round((high - line) / 8))


def on_ceiling(chart: Chart, label: str) -> None:
    """Let infinite values stand on a line of their own above all others of a linear axis."""
    values = [value for trace in chart["data"] for value in trace["y"] if value is not None and value != math.inf]
    low, high = min(values, default=0.0), max(values, default=0.0)
    line = high + 0.1 * (high - low or 10.0)
    _stand(chart, math.inf, line, {"y": line, "xanchor": "left", "yanchor": "bottom", "text": label})


def _stand(chart: Chart, value: float, at: float, label: Chart) -> bool:
    """Draw such values at ``at``, joined with their like alone; whether there is one."""
    found = False
    for trace in chart["data"]:
        if value not in trace["y"]:
            continue
        found = True
        breaks = {i for i, (a, b) in enumerate(pairwise(trace["y"]), 1) if (a == value) != (b == value)}
        trace["y"] = [at if y == value else y for y in trace["y"]]
        for key in ("x", "y", "text", "customdata"):
            if key in trace:
                parted = ([None, entry] if i in breaks else [entry] for i, entry in enumerate(trace[key]))
                trace[key] = [entry for part in parted for entry in part]
    if found:
        layout, style = chart["layout"], {"color": "#888888", "width": 1, "dash": "dot"}
        line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": style}
        layout["shapes"] = [*layout.get("shapes", []), line]
        layout["annotations"] = [{"xref": "paper", "x": 0, "showarrow": False, **label}]
    return found


def table(head: list[str], rows: Sequence[Sequence[object]]) -> Table:
    return {"head": head, "rows": rows}


def index_text(index: Sequence[int]) -> str:
    return f"[{', '.join(map(str, index))}]"


def rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
