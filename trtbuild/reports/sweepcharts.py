"""Pictures of a sweep: latency and error over versions, and a model's deviations overlaid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from trtbuild.documents.layers import ReportedLayers
from trtbuild.documents.report import Axis, Output, Report
from trtbuild.documents.sweep import SweepVariant
from trtbuild.reports import errorhistograms, layers
from trtbuild.reports.figure import Chart, Figure, Trace, on_floor
from trtbuild.reports.sweepcells import label, natural, precision_order

DASHES = ("solid", "dash", "dot", "dashdot")
PICTURED_OUTPUTS = 12  # of one model; the others have tables
LEGEND = {"orientation": "h", "y": -0.3}  # below the axis's title on a telephone too
Look = dict[str, str]


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Colour, dash and marker of each line: distinguishable with any colour vision, and in black and white."""
    styles = layers.STYLES
    return {
        name: {"color": styles[i % len(styles)][0], "symbol": styles[i % len(styles)][1],
               "dash": DASHES[i // len(styles) % len(DASHES)]}
        for i, name in enumerate(dict.fromkeys(names))
    }  # fmt: skip


def thinning(count: int, first: float, last: float) -> list[float]:
    """Sizes that shrink from line to line, so that a line still shows under an equal one."""
    return [round(first - (first - last) * i / max(count - 1, 1), 2) for i in range(count)]


def charts(page: Mapping[str, Any]) -> list[Chart]:
    """Two figures for each model, p50 and worst error; none for a model with one variant."""
    return [chart for model in page["models"] for chart in model["charts"]]


def of_model(index: int, variants: Sequence[SweepVariant], *, engines_lead: bool = False) -> list[Chart]:
    """p50 in ms with its 95 % interval, the worst output's relative error and the engine, over the versions of a model.

    Over the precisions if there is only one version.  The engine's pictures are last, or first if they are to lead.
    """
    versions = {v["tensorrt"] for v in variants}
    axis: Axis
    rest: Axis
    axis, rest = ("tensorrt", "precision") if len(versions) > 1 else ("precision", "tensorrt")
    places = list(dict.fromkeys(v[axis] for v in sorted(variants, key=lambda v: _order(axis, v))))
    others: tuple[Axis, ...] = (rest, "runtime", "target", "calibration")
    series: dict[str, dict[str, SweepVariant]] = {}
    for v in sorted(variants, key=lambda v: (_order(rest, v), v["runtime"], v["target"], v["calibration"], v["id"])):
        name = label(v, variants, others) or v[rest]
        series.setdefault(name, {}).setdefault(v[axis], v)
    style = looks(series)
    made = []
    if len(places) > 1 and any(v["p50_ms"] for v in variants):
        data = [_p50(name, found, places, style[name]) for name, found in series.items()]
        made.append(_figure(f"p50-{index}", "Latency, p50 with its 95 % interval", data, places, "ms", log=False))
    if len(places) > 1 and any(v["error"] and v["error"]["relative"] for v in variants):
        data = [_error(name, found, places, style[name]) for name, found in series.items()]
        made.append(_figure(f"error-{index}", "Error of the worst output", data, places, "RMS error / RMS", log=True))
    engines = _engine_figures(index, variants, series, places, style) if len(places) > 1 else []
    return [*engines, *made] if engines_lead else [*made, *engines]


def _engine_figures(
    index: int, variants: Sequence[SweepVariant], series: Mapping[str, Mapping[str, SweepVariant]],
    places: Sequence[str], style: Mapping[str, Look],
) -> list[Chart]:  # fmt: skip
    """The numbers of the engines; one that is equal in all of them has no picture."""
    built = [v["compiled"] for v in variants if v["compiled"]]
    listed = all(found["moved_bytes"] is not None for found in built)
    moved = ("moved_bytes", "Bytes moved in one inference", "MB", 1e-6)
    if not listed:  # a version that lists no weights would seem to move less
        moved = ("activations_moved_bytes", "Bytes moved in one inference, without weights", "MB", 1e-6)
    kinds = [moved, ("layers", "Layers of the engine", "layers", 1.0),
             ("activation_bytes", "Activation memory at the profile's maximum", "MB", 1e-6),
             ("plan", "Size of the plan", "MB", 1e-6)]  # fmt: skip
    devices = {found["device"] for found in built}
    if len(devices) == 1 and devices != {None} and (listed or all(found["moved_bytes"] is None for found in built)):
        kinds.append(("estimate_us", f"ESTIMATE for {escape(str(devices.pop()), quote=False)}: lower bound", "µs", 1.0))
    made = []
    for key, title, unit, factor in kinds:
        lines = {name: [_number(found.get(place), key, factor) for place in places] for name, found in series.items()}
        seen = [value for line in lines.values() for value in line if value is not None]
        if len(seen) > 1 and len(set(seen)) > 1:
            data = [_line(name, places, style[name], line) for name, line in lines.items()]
            made.append(_figure(f"engine-{key}-{index}", title, data, places, unit, log=False))
    return made


def _number(v: SweepVariant | None, key: str, factor: float) -> float | None:
    if v is None or v["compiled"] is None or v["engine"] is None:
        return None
    numbers: Mapping[str, object] = {**v["compiled"], "plan": v["engine"]["bytes"]}
    value = numbers[key]
    return round(value * factor, 6) if isinstance(value, (int, float)) else None


def _order(axis: Axis, v: SweepVariant) -> tuple[object, ...]:
    return natural(v["tensorrt"]) if axis == "tensorrt" else precision_order(v)


def _line(name: str, places: Sequence[str], look: Look, y: list[float | None]) -> Trace:
    return {
        "type": "scatter", "mode": "lines+markers", "name": escape(name, quote=False), "connectgaps": False,
        "x": [escape(place, quote=False) for place in places], "y": y,
        "line": {"color": look["color"], "dash": look["dash"], "width": 1.5},
        "marker": {"color": look["color"], "symbol": look["symbol"]},
    }  # fmt: skip


def _p50(name: str, found: Mapping[str, SweepVariant], places: Sequence[str], look: Look) -> Trace:
    medians = [found[place]["p50_ms"] if place in found else None for place in places]
    up = [None if m is None or m["high"] is None else round(m["high"] - m["value"], 6) for m in medians]
    down = [None if m is None or m["low"] is None else round(m["value"] - m["low"], 6) for m in medians]
    whiskers = {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2, "width": 5}
    return {**_line(name, places, look, [None if m is None else m["value"] for m in medians]), "error_y": whiskers}


def _error(name: str, found: Mapping[str, SweepVariant], places: Sequence[str], look: Look) -> Trace:
    errors = [found[place]["error"] if place in found else None for place in places]
    return _line(name, places, look, [_short(e["relative"]) if e else None for e in errors])


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _figure(
    identity: str, title: str, data: list[Trace], places: Sequence[str], y: str, *, log: bool
) -> Chart:
    axis = {"title": {"text": y}, **({"type": "log", "exponentformat": "power"} if log else {"rangemode": "tozero"})}
    for trace, size in zip(data, thinning(len(data), 11, 6), strict=True):
        trace["marker"]["size"] = size
    drawn = [trace for trace in data if any(value is not None for value in trace["y"])]
    chart: Chart = {
        "id": identity, "title": title, "data": drawn,
        "layout": {
            "height": 270, "margin": {"l": 60, "r": 12, "t": 34, "b": 40}, "showlegend": True, "yaxis": axis,
            "xaxis": {"type": "category", "range": [-0.4, len(places) - 0.6]},
        },
    }  # fmt: skip
    if log:
        on_floor(chart)
    return chart


def deviation_sections(reports: Mapping[str, Report]) -> list[dict[str, Any]]:
    """Every output of one model with the distributions of all its variants (label -> report.json) on the same edges.

    Variants whose histograms have other edges cannot be overlaid; they are listed in ``left_out``.
    """
    edges = max((r["log10_edges"] for r in reports.values()), key=lambda e: (len(e), e))
    fitting = {label: r for label, r in reports.items() if r["log10_edges"] == edges}
    left_out = [label for label in reports if label not in fitting]
    names = sorted({name for r in fitting.values() for name in r["outputs"]})
    moved = sorted(names, key=lambda name: (-_most(fitting, name), name))
    style = looks(fitting)
    made = []
    for i, name in enumerate(names):
        found = {label: r["outputs"][name] for label, r in fitting.items() if name in r["outputs"]}
        rows = [{"label": label, **output["hops"]["total"]} for label, output in found.items()]
        section = {"name": name, "id": f"output-{i}", "left_out": left_out, "figures": [], "rows": rows}
        if name in moved[:PICTURED_OUTPUTS]:
            section["figures"] = _overlay(i, name, found, fitting, edges, style)
        made.append(section)
    return made


def _overlay(
    index: int, name: str, found: Mapping[str, Output], reports: Mapping[str, Report], edges: Sequence[float],
    style: Mapping[str, Look],
) -> list[Figure]:  # fmt: skip
    widths = thinning(len(found), 3.5, 1.25)
    lines = {label: {"color": style[label]["color"], "dash": style[label]["dash"], "width": width}
             for label, width in zip(found, widths, strict=True)}  # fmt: skip
    legend = {label: escape(label, quote=False) for label in found}
    counts = {label: output["histograms"]["total"] for label, output in found.items()}
    limits = {check["limit"] for label in found
              if (check := reports[label]["verdict"]["checks"].get(f"{name}: max_abs")) is not None}  # fmt: skip
    figures = [
        errorhistograms.histogram(counts, edges, lines, legend),
        # One limit can be drawn; several (one for each precision, say) would be confused.
        errorhistograms.above(counts, edges, {"max_abs": limits.pop()} if len(limits) == 1 else {}, lines, legend),
    ]
    if len(limits) > 1:
        figures[1]["caption"] = "The variants have different limits; each one's own page draws its own."
    for number, figure in enumerate(figures):
        figure["chart"]["id"] = f"overlay-{index}-{number}"
        figure["chart"]["layout"] |= {"height": 360 + 8 * len(found), "legend": LEGEND}
        figure["table"]["head"] = [figure["table"]["head"][0], *found]  # as text: the legend's names are markup
    return figures


def _most(reports: Mapping[str, Report], name: str) -> float:
    totals = (r["outputs"][name]["hops"]["total"] for r in reports.values() if name in r["outputs"])
    return max((t["rmse"] or 0.0) / (t["reference_rms"] or 1.0) for t in totals)


def layer_figures(inspected: Mapping[str, ReportedLayers]) -> list[Chart]:
    """The layers' figures with every variant of a model; a point links to its row in the page's own table.

    Maxima get their own picture, so that a variant is one line in each legend.
    """
    figures = layers.charts({escape(label, quote=False): found for label, found in inspected.items()})
    median = figures[0]
    largest = [
        {**t, "visible": True, "mode": "lines+markers"} for t in median["data"] if t["name"].endswith(": maximum")
    ]
    median["data"] = [trace for trace in median["data"] if trace["name"].endswith(": median")]
    median["title"] = "Median error of every layer: the graph as it runs"
    title = "Largest error of every layer: the graph as it runs"
    figures.insert(1, {**median, "id": "layers-max", "title": title, "data": largest})
    sizes = thinning(len(inspected), 10, 5)
    for figure in figures:
        for trace, size in zip(figure["data"], sizes, strict=True):
            colour = trace["marker"]["color"]
            trace["name"] = trace["name"].removesuffix(": median").removesuffix(": maximum")
            trace |= {"marker": {**trace["marker"], "size": size, "opacity": 1}, "line": {"color": colour, "width": 1},
                      "customdata": [f"#layer-{x}" for x in trace["x"]]}  # fmt: skip
        figure["layout"] = {**figure["layout"], "height": 450 + 12 * len(inspected)}
    return figures
