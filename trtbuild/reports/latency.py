"""latency: the page's data from latency.json and samples.json, and its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from trtbuild.documents.latency import (
    Bounds,
    Latency,
    Pictures,
    ReportedLatency,
    ReportedSide,
    Samples,
    SideSamples,
    Strip,
)
from trtbuild.documents.report import Report
from trtbuild.latency.interval import subject
from trtbuild.reports.figure import Chart, Trace

SIDES = ("source", "exported", "lowered", "engine", "baseline")
TITLES = {
    "exported": "exported graph (float32)", "lowered": "lowered graph", "engine": "engine", "baseline": "baseline",
}  # fmt: skip
# Okabe-Ito colours; dash and marker tell the sides apart without colour.
COLOURS = {"source": "#0072b2", "exported": "#009e73", "lowered": "#d55e00", "engine": "#d55e00", "baseline": "#888888"}
DASHES = {"source": "solid", "exported": "dot", "lowered": "solid", "engine": "solid", "baseline": "dash"}
SYMBOLS = {"source": "square", "exported": "diamond", "lowered": "circle", "engine": "circle", "baseline": "x"}
MOST_POINTS = 300  # of one side's samples against time
BINS = 48
QUANTILES = 100


def collect(latency: Latency | None, samples: Samples | None = None) -> ReportedLatency | None:
    """Page data of latency.json (None: nothing was measured), with pictures where samples.json is given.

    ``subject`` is the side that is shipped: the engine where it was executed, else the lowered graph; ``speedup`` is
    source / subject with its interval: how many times faster than the source model.
    """
    if latency is None:
        return None
    sides: list[ReportedSide] = [
        {"name": name, "title": title(name, latency["source_kind"]), **latency["sides"][name]}
        for name in SIDES
        if name in latency["sides"]
    ]
    chosen = subject(latency["sides"])
    return {
        "batch": latency["batch"], "settings": latency["settings"], "source_kind": latency["source_kind"],
        "ratios": latency["ratios"], "verdict": latency["verdict"], "profile": latency["profile"],
        "warnings": latency["warnings"], "environment": latency["environment"],
        "sides": sides,
        "subject": chosen,
        "on": device_of(latency),
        "measured": latency["sides"][chosen]["measured"],
        "speedup": speedup(latency["ratios"]["source"]) if "source" in latency["ratios"] else None,
        "pictures": None if samples is None or not samples["sides"] else pictures(samples["sides"]),
    }


def device_of(latency: Latency | ReportedLatency) -> str:
    """The device that computed: the GPU where there was one, else the CPU."""
    where = latency["environment"]
    return str(where.get("gpu") or where["cpu"])


def title(name: str, source_kind: str) -> str:
    return TITLES.get(name) or ("ONNX source" if source_kind == "onnx" else "TensorFlow")


def speedup(ratio: Bounds) -> Bounds:
    """The inverse of a ratio; None for a runtime that took no time at all.

    >>> speedup({"value": 0.5, "low": 0.25, "high": 1.0})
    {'value': 2.0, 'low': 1.0, 'high': 4.0}
    """
    value, low, high = (round(1 / v, 4) if v else 0.0 for v in (ratio["value"], ratio["high"], ratio["low"]))
    return {"value": value, "low": low, "high": high}


def pictures(samples: Mapping[str, SideSamples]) -> Pictures:
    """Samples in milliseconds, few enough to draw: over time, as histogram, as distribution, by round."""
    flat = {name: sorted(us / 1000 for r in samples[name]["rounds"] for us in r) for name in SIDES if name in samples}
    low = min(max(values[0], 1e-3) for values in flat.values())
    high = max(max(values[-1], low * 1.01) for values in flat.values())
    edges = [round(low * (high / low) ** (i / BINS), 6) for i in range(BINS + 1)]
    return {
        "strips": {name: strip(samples[name]["rounds"], samples[name]["starts_s"]) for name in flat},
        "edges_ms": edges,
        "histograms": {name: histogram(values, low, high) for name, values in flat.items()},
        "quantiles_ms": {name: quantiles(values) for name, values in flat.items()},
        "rounds_ms": {name: [round(median(r) / 1000, 6) for r in samples[name]["rounds"]] for name in flat},
    }


def strip(rounds: Sequence[Sequence[float]], starts_s: Sequence[float]) -> Strip:
    """Points (seconds since the first call, ms), None between rounds.

    Where there are more than MOST_POINTS, only the fastest and the slowest of every ``calls_a_point`` x 2 calls, so
    that no spike is lost.
    """
    total = sum(len(r) for r in rounds)
    group = 1 if total <= MOST_POINTS else 2 * math.ceil(total / MOST_POINTS)
    x: list[float | None] = []
    y: list[float | None] = []
    for us, start in zip(rounds, starts_s, strict=True):
        ends, now = [], start
        for value in us:
            now += value / 1e6
            ends.append(now)
        for i in range(0, len(us), group):
            part = range(i, min(i + group, len(us)))
            shown = sorted({min(part, key=lambda j: us[j]), max(part, key=lambda j: us[j])})
            x += [round(ends[j], 4) for j in shown]
            y += [us[j] / 1000 for j in shown]
        x.append(None)
        y.append(None)
    return {"x": x, "y": y, "calls_a_point": group}


def histogram(ordered: Sequence[float], low: float, high: float) -> list[int]:
    """Counts in BINS bins of equal width on a logarithmic axis from ``low`` to ``high``."""
    counts = [0] * BINS
    scale = BINS / math.log(high / low)
    for value in ordered:
        place = int(scale * math.log(max(value, low) / low))
        counts[min(max(place, 0), BINS - 1)] += 1
    return counts


def quantiles(ordered: Sequence[float]) -> list[float]:
    """The 0th to 100th percentile of the samples, by nearest rank."""
    last = len(ordered) - 1
    return [round(ordered[round(last * i / QUANTILES)], 6) for i in range(QUANTILES + 1)]


def charts(page: Report) -> list[Chart]:
    """Plotly figures of ``page.latency``; none where nothing was measured."""
    data = page.get("latency")
    drawn = data["pictures"] if data else None
    if not data or not drawn:
        return []
    titles = {side["name"]: side["title"] for side in data["sides"]}
    middles = [round(math.sqrt(a * b), 6) for a, b in pairwise(drawn["edges_ms"])]
    total = {name: sum(counts) for name, counts in drawn["histograms"].items()}
    strips = [
        _trace(name, titles, "lines+markers", points["x"], points["y"], marker={"size": 4})
        for name, points in drawn["strips"].items()
    ]
    shares = [
        _trace(name, titles, "lines", middles, [round(c / total[name], 6) for c in counts], line={"shape": "hvh"})
        for name, counts in drawn["histograms"].items()
    ]
    shown = [round(i / QUANTILES, 4) for i in range(QUANTILES + 1)]
    distribution = [_trace(name, titles, "lines", ms, shown) for name, ms in drawn["quantiles_ms"].items()]
    rounds = [
        _trace(name, titles, "markers", list(range(1, len(ms) + 1)), ms, marker={"size": 10})
        for name, ms in drawn["rounds_ms"].items()
    ]
    time, ms = {"title": {"text": "seconds since the first call"}}, {"title": {"text": "ms"}, "type": "log"}
    each = {"title": {"text": "round"}, "dtick": 1}
    return [
        _figure("latency-strip", "Every call against time", strips, time, ms),
        _figure("latency-histogram", "Histogram", shares, ms, {"title": {"text": "share of the calls"}}),
        _figure("latency-cdf", "Share of the calls that are faster", distribution, ms, {"title": {"text": "share"}}),
        _figure("latency-rounds", "Median of every round", rounds, each, ms),
    ]


def _trace(name: str, titles: Mapping[str, str], mode: str, x: object, y: object, **style: Trace) -> Trace:
    return {
        "type": "scatter", "mode": mode, "name": titles[name], "x": x, "y": y,
        "line": {"color": COLOURS[name], "dash": DASHES[name], "width": 1.5, **style.get("line", {})},
        "marker": {"color": COLOURS[name], "symbol": SYMBOLS[name], **style.get("marker", {})},
    }  # fmt: skip


def _figure(identity: str, title: str, data: list[Trace], x: object, y: object) -> Chart:
    return {
        "id": identity, "title": title, "data": data,
        "layout": {
            "margin": {"l": 60, "r": 10, "t": 10, "b": 45}, "height": 320, "xaxis": x, "yaxis": y,
            "legend": {"orientation": "h", "y": -0.25},
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        },
    }  # fmt: skip
