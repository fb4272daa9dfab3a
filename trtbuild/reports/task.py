"""task: the task metric by class and slice, source model against what was built: charts, rows, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from trtbuild.core.taskgroups import by_change, called, fall, fallen, interval, kinds, title
from trtbuild.documents.task import ALL, Group, TaskScores
from trtbuild.reports.figure import Chart, plot

DRAWN = 60  # groups in a chart; the table has all
IN_MARKDOWN = 8  # groups of a kind, besides those that fell
CONFIDENCE = "95 %"


class Section(TypedDict):
    """The groups of a kind, the worst change first."""

    id: str
    title: str
    rows: list[Group]
    drawn: int


def sections(scores: TaskScores) -> list[Section]:
    found = by_change(scores)
    return [
        {"id": f"task-{i}", "title": title(by), "rows": (rows := [g for g in found if g["by"] == by]),
         "drawn": min(len(rows), DRAWN)}
        for i, by in enumerate(kinds(scores["groups"]))
    ]  # fmt: skip


def charts(scores: TaskScores) -> list[Chart]:
    """The change of every group with its interval, a chart for each kind."""
    return [{"id": s["id"], **_chart(scores, s)} for s in sections(scores)]


def _chart(scores: TaskScores, section: Section) -> Chart:
    rows = section["rows"][:DRAWN][::-1]  # the worst on top
    labels = [g["name"] for g in rows]
    data = [
        _points("fell" if fell else "change", [g for g in rows if g["fell"] == fell], fell=fell)
        for fell in (False, True)
        if any(g["fell"] == fell for g in rows)
    ]
    made = plot(f"{section['title']}: change of {scores['metric']}", data, f"change of {scores['metric']}", "")
    made["layout"] |= {"height": 120 + 22 * len(rows), "showlegend": any(g["fell"] for g in rows)}
    made["layout"]["yaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": labels, "dtick": 1}
    made["layout"]["xaxis"] |= {"zeroline": True, "zerolinewidth": 2}
    made["layout"]["legend"] = {"orientation": "h", "y": 1.0, "yanchor": "bottom"}
    made["layout"]["margin"] |= {"t": 40}
    return made


def _points(name: str, rows: Sequence[Group], *, fell: bool) -> dict[str, Any]:
    changes = [g["change"] for g in rows]
    return {
        "type": "scatter", "mode": "markers", "name": name, "y": [g["name"] for g in rows],
        "x": [c["value"] for c in changes], "text": [fall(g) for g in rows], "hoverinfo": "text",
        "marker": {"size": 9, "symbol": "diamond" if fell else "circle", "color": "#b3261e" if fell else "#4477aa"},
        "error_x": {"type": "data", "symmetric": False, "array": [c["high"] - c["value"] for c in changes],
                    "arrayminus": [c["value"] - c["low"] for c in changes], "thickness": 1.2, "width": 3},
    }  # fmt: skip


def finding(scores: TaskScores) -> str:
    """One sentence for the overview; empty if there is only the number for all samples."""
    parts = [group for group in scores["groups"] if group["by"] != ALL]
    if not parts:
        return ""
    falls, count = fallen(scores), f"{len(parts)} classes and slices"
    if not falls:
        return f"None of {count} fell in {scores['metric']} against the source model."
    return f"Fell in {scores['metric']} against the source model: {'; '.join(called(group) for group in falls)}."


def task_lines(scores: TaskScores) -> list[str]:
    """A table for a merge request: all samples, the groups that fell, and those that changed most."""
    groups = [group for group in scores["groups"] if group["by"] == ALL]
    if not groups:
        return []
    parts = len(scores["groups"]) - len(groups)
    for section in sections(scores):
        falls = sum(group["fell"] for group in section["rows"])
        groups += [group for group in section["rows"][: falls + IN_MARKDOWN] if group["change"]["value"]]
    head = f"| {scores['metric']} | samples | source model | here | change, {CONFIDENCE} interval | |"
    lines = ["", head, "|---|---|---|---|---|---|"]
    for g in groups:
        name = called(g).replace("|", "\\|")
        old, new, change = g["old"]["value"], g["new"]["value"], interval(g["change"], "+")
        lines.append(f"| {name} | {g['samples']} | {old:.4g} | {new:.4g} | {change} | {'**fell**' * g['fell']} |")
    if rest := parts + 1 - len(groups):
        same = all(not g["change"]["value"] for g in scores["groups"])
        lines += ["", f"{rest} classes and slices did not change" if same else f"and {rest} more, on the task page"]
    return lines
