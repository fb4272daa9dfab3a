"""deviation: chart data of the deviation page, drawn from the same report.json as its tables."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

TITLES = {"export": "exporter: source model → ONNX", "precision": "precision: ONNX → lowered ONNX", "total": "total"}
# Okabe-Ito colours, told apart by everybody; the total is dashed, since it mostly lies on the hop that causes it.
LINES: dict[str, dict[str, Any]] = {
    "export": {"color": "#0072b2"},
    "precision": {"color": "#d55e00", "width": 3},
    "total": {"color": "#888888", "dash": "dash"},
}


def charts(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Plotly figures, two for each output: histogram of log10 |error|, and the share of elements above an error."""
    figures = []
    for index, (name, output) in enumerate(page["outputs"].items()):
        share = "Share of elements above an error"
        figures.append(
            _figure(name, f"histogram-{index}", "Distribution of |error|", _histogram(page, output), "elements")
        )
        figures.append(_figure(name, f"above-{index}", share, _above(page, output), "share", log_y=True))
    return figures


def _histogram(page: Mapping[str, Any], output: Mapping[str, Any]) -> list[dict[str, Any]]:
    edges = page["log10_edges"]
    return [
        {
            "type": "scatter", "mode": "lines", "line": {"shape": "hvh", **LINES[hop]}, "name": TITLES[hop],
            "x": [round((a + b) / 2, 6) for a, b in pairwise(edges)], "y": counts["counts"],
        }
        for hop, counts in output["histograms"].items()
    ]  # fmt: skip


def _above(page: Mapping[str, Any], output: Mapping[str, Any]) -> list[dict[str, Any]]:
    traces = []
    for hop, counts in output["histograms"].items():
        total = counts["zero"] + counts["below"] + counts["above"] + sum(counts["counts"])
        left, y = counts["above"], []
        for count in reversed(counts["counts"]):
            left += count
            y.append(round(left / total, 9) if left and total else None)
        traces.append(
            {"type": "scatter", "mode": "lines", "line": LINES[hop], "name": TITLES[hop],
             "x": page["log10_edges"][:-1], "y": y[::-1]}
        )  # fmt: skip
    return traces


def _figure(
    output: str, identity: str, title: str, data: list[dict[str, Any]], y: str, *, log_y: bool = False
) -> dict[str, Any]:
    return {
        "output": output,
        "id": identity,
        "title": title,
        "data": data,
        "layout": {
            "margin": {"l": 60, "r": 10, "t": 10, "b": 45}, "height": 300,
            "xaxis": {"title": {"text": "log10 |error|"}},
            "yaxis": {"title": {"text": y}, **({"type": "log"} if log_y else {})},
            "legend": {"orientation": "h", "y": -0.25},
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        },
    }  # fmt: skip
