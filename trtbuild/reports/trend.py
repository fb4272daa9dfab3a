"""A trend -> a table for a terminal, and one page of charts over the commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtbuild.base.text import printable
from trtbuild.core.spec.validation import LOWER_BOUNDS, UPPER_BOUNDS
from trtbuild.documents.trend import WORKTREE, Numbers, Trend, TrendPoint, TrendVariant
from trtbuild.reports.figure import Chart, plot

METRICS = (*UPPER_BOUNDS, *LOWER_BOUNDS)
DEFAULT_METRIC = "rmse"
SHOWN = 20  # of the newest commits, on a terminal
SUBJECT = 48  # characters
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")


@dataclass(frozen=True)
class Column:
    """A number of every point: its title, axis, and how a table writes it."""

    id: str
    title: str
    axis: str
    value: Callable[[Numbers], float | None]
    text: Callable[[float], str] = "{:.4g}".format


def columns(trend: Trend, metric: str = DEFAULT_METRIC) -> list[Column]:
    """Those that any point has, the task first."""
    tasks = {n["task"]["metric"] for n in _all(trend) if n["task"]}
    task = " or ".join(sorted(tasks)) or "task"
    found = [
        Column("task", task, task, lambda n: n["task"]["score"] if n["task"] else None),
        Column("metric", f"{metric} of worst output", metric, lambda n: n["deviation"].get(metric)),
        Column("plan", "plan (MB)", "MB (10^6 bytes)", lambda n: _mb(n["plan_bytes"]), "{:.2f}".format),
        Column("moved", "moved (MB)", "MB (10^6) an inference", lambda n: _mb(n["moved_bytes"]), "{:.1f}".format),
        Column("p50", "p50 (ms)", "ms", lambda n: n["p50_ms"]),
    ]
    return [column for column in found if any(column.value(n) is not None for n in _all(trend))]


def _all(trend: Trend) -> list[Numbers]:
    return [p["numbers"] for v in trend["variants"] for p in v["points"] if p["numbers"] is not None]


def _mb(value: int | None) -> float | None:
    return None if value is None else value / 1e6


def lines(trend: Trend, metric: str = DEFAULT_METRIC, shown: int | None = SHOWN) -> list[str]:
    """A table for each variant, the newest commits last; ``shown``: how many of them, None for all."""
    found = notes(trend)
    for variant in trend["variants"]:
        points = variant["points"] if shown is None else variant["points"][-shown:]
        rows = [["commit", "date", "verdict", *(c.title for c in columns(trend, metric)), "subject"]]
        rows += [_row(point, columns(trend, metric)) for point in points]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        found += ["", variant["variant"]["id"]]
        found += ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        if rest := len(variant["points"]) - len(points):
            found.append(f"and {rest} older commits (--all)")
    return [printable(line) for line in found]


def _row(point: TrendPoint, shown: Sequence[Column]) -> list[str]:
    n = point["numbers"]
    if n is None:
        cells = ["gap", *("–" for _ in shown)]
    else:
        values = [(column, column.value(n)) for column in shown]
        cells = [n["verdict"], *("–" if value is None else column.text(value) for column, value in values)]
    subject = point["subject"]
    subject = subject if len(subject) <= SUBJECT else f"{subject[: SUBJECT - 1]}…"
    fell = f"; fell: {', '.join(n['task']['fell'])}" if n and n["task"] and n["task"]["fell"] else ""
    return [short(point), date(point), *cells, f"{subject}{fell}"]


def notes(trend: Trend) -> list[str]:
    """What a reader must know of the history."""
    count = trend["commits"]
    found = [f"{trend['model']}: records in {count} commit{'' if count == 1 else 's'}"]
    if trend["renamed_from"]:
        found.append(f"the model was called {', '.join(trend['renamed_from'])} before")
    if trend["shallow"]:
        found.append("the clone is shallow: older commits are not here (git fetch --unshallow)")
    if trend["gaps"]:
        found.append(f"gaps: {trend['gaps']} records have numbers neither in git nor in the cache here")
    found += [f"skipped: {line}" for line in trend["skipped"]]
    return found


def short(point: TrendPoint) -> str:
    return point["commit"] if point["commit"] == WORKTREE else point["commit"][:8]


def date(point: TrendPoint) -> str:
    """The commit's day, in UTC."""
    return "" if point["time"] is None else time.strftime("%Y-%m-%d", time.gmtime(point["time"]))


def charts(trend: Trend, metric: str = DEFAULT_METRIC) -> list[Chart]:
    """One for each number, a line for each variant; x is the commit, in the order of all."""
    order = _order(trend)
    return [{"id": f"trend-{column.id}", **_chart(trend, column, order)} for column in columns(trend, metric)]


def _order(trend: Trend) -> list[TrendPoint]:
    """Every commit once, oldest first, the worktree last."""
    found: dict[str, TrendPoint] = {}
    merged = sorted((p for v in trend["variants"] for p in v["points"]), key=lambda p: p["time"] or 2**62)
    for point in merged if len(trend["variants"]) > 1 else trend["variants"][0]["points"]:
        found.setdefault(point["commit"], point)
    return list(found.values())


def _chart(trend: Trend, column: Column, order: Sequence[TrendPoint]) -> Chart:
    place = {point["commit"]: i for i, point in enumerate(order)}
    data = [
        {
            "type": "scatter", "mode": "lines+markers", "name": variant["variant"]["id"], "connectgaps": False,
            "x": [place[p["commit"]] for p in variant["points"]],
            "y": [None if p["numbers"] is None else column.value(p["numbers"]) for p in variant["points"]],
            "text": [f"{short(p)} {date(p)} {p['subject']}" for p in variant["points"]],
            "hovertemplate": "%{y:.6g}<br>%{text}<extra></extra>",
            "line": {"color": COLOURS[i % len(COLOURS)], "width": 1.5}, "marker": {"size": 5},
        }
        for i, variant in enumerate(trend["variants"])
    ]  # fmt: skip
    made = plot(column.title, data, "commit", column.axis)
    step = max(1, -(-len(order) // 12))
    ticks = [*range(0, len(order) - step // 2 - 1, step), len(order) - 1]
    made["layout"]["xaxis"] |= {"tickvals": ticks, "ticktext": [short(order[i]) for i in ticks], "tickangle": -40}
    made["layout"]["legend"] = {"orientation": "h", "y": -0.45, "yanchor": "top"}
    made["layout"]["yaxis"] |= _flat([column.value(numbers) for numbers in _all(trend)])
    several = len(trend["variants"]) > 1
    made["layout"]["margin"] |= {"b": 130 if several else 85}
    made["layout"] |= {"height": 370 if several else 325, "showlegend": several}
    return made


def _flat(values: Sequence[float | None]) -> dict[str, list[float]]:
    """The range of an axis on which all values are equal: Plotly's own goes one up and one down, whatever the value."""
    found = {value for value in values if value is not None}
    if len(found) != 1 or not (value := found.pop()):
        return {}
    return {"range": sorted((0.9 * value, 1.1 * value))}


def page(trend: Trend, templates: Mapping[str, Path], metric: str = DEFAULT_METRIC) -> str:
    """The text of the page, which expects plotly.min.js beside it; equal trends give equal bytes."""
    from trtbuild.reports.render import render

    shown = columns(trend, metric)
    tables = [_table(variant, shown) for variant in trend["variants"]]
    data = {
        "trend": trend, "notes": notes(trend), "charts": charts(trend, metric), "tables": tables,
        "columns": [column.title for column in shown], "title": f"{trend['model']}: trend",
    }  # fmt: skip
    return render(templates, "trend.html.j2", data)


def _table(variant: TrendVariant, shown: Sequence[Column]) -> dict[str, object]:
    return {"id": variant["variant"]["id"], "rows": [_row(point, shown) for point in reversed(variant["points"])]}
