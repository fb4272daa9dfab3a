"""The parts of every figure: a Plotly chart, a table of the same numbers, and numbers rounded to a few digits."""

from __future__ import annotations

from collections.abc import Sequence
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


def table(head: list[str], rows: Sequence[Sequence[object]]) -> Table:
    return {"head": head, "rows": rows}


def index_text(index: Sequence[int]) -> str:
    return f"[{', '.join(map(str, index))}]"


def rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
