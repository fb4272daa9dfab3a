"""Pictures of one output's deviation, each a Plotly figure with the table of the same numbers.

Figures hold no text that a model or a user chose: Plotly reads some of it as markup.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

# Okabe-Ito colours, told apart by everybody; the total is dashed, since it mostly lies on the hop that causes it.
LINES: dict[str, dict[str, Any]] = {
    "export": {"color": "#0072b2"},
    "precision": {"color": "#d55e00", "width": 3},
    "engine": {"color": "#009e73"},
    "total": {"color": "#888888", "dash": "dash"},
}
SHORT = {"export": "exporter", "precision": "precision", "engine": "TensorRT", "total": "total"}
WIDE = 100  # largest over smallest: a logarithmic axis over less than two decades has hardly a label
EXACT_AT = -13.0  # where the bar of exact equality stands, left of the smallest bin
SHARE_OF_LIMIT = {"max_abs": None, "p999_abs": 0.001, "p99_abs": 0.01, "median_abs": 0.5}
# The 2-D histogram's bins (kit/breakdown.py): two a decade, after one for 0 and one for what is less.
PER_DECADE, ERROR_LOWEST, REFERENCE_LOWEST = 2, -12, -8
Figure = dict[str, Any]
Looks = Mapping[str, Mapping[str, Any]]  # how each line is drawn


def figures(output: Mapping[str, Any], edges: Sequence[float], place: str, limits: Mapping[str, float]) -> list[Figure]:
    """All pictures of one output: ``{"chart", "caption", "table"}`` each; ``place`` makes their ids unique."""
    detail = output["details"]["total"]
    histograms = {hop: output["histograms"][hop] for hop in LINES if hop in output["histograms"]}
    made = [
        histogram(histograms, edges),
        above(histograms, edges, limits),
        _by_magnitude(detail["by_magnitude"]),
        *(_channels(found) for found in detail["channels"]),
        *_positions(detail["positions"]),
        _samples(detail["samples"]),
    ]
    kept = [figure for figure in made if figure is not None]
    for number, figure in enumerate(kept):
        figure["chart"]["id"] = f"chart-{place}-{number}"
    return kept


def histogram(
    histograms: Mapping[str, Any], edges: Sequence[float], lines: Looks = LINES, names: Mapping[str, str] = SHORT
) -> Figure:
    """Distribution of log10 |error|: one line for each key of ``histograms``, all on the same fixed ``edges``.

    ``lines`` and ``names`` say how each key is drawn and called; a name is Plotly markup, so escape what others chose.
    """
    width = edges[1] - edges[0]
    data: list[dict[str, Any]] = []
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
    chart = _chart("Distribution of |error|", data, "log10 |error|", "elements", log_y=True)
    chart["layout"]["xaxis"] |= _exact_ticks(data)
    caption = (
        "Exact equality stands apart, on the left. The edges are fixed, so that builds can be laid over each other."
    )
    head = ["|error|", *(names[key] for key in histograms)]
    return {"chart": chart, "caption": caption, "table": _table(head, rows)}


def _exact_ticks(data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Ticks at whole decades where there is something, and the word for the bar of exact equality."""
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
    histograms: Mapping[str, Any], edges: Sequence[float], limits: Mapping[str, float], lines: Looks = LINES,
    names: Mapping[str, str] = SHORT,
) -> Figure:  # fmt: skip
    """Share of the elements above an error (complementary CDF), with the limits drawn; see :func:`histogram`."""
    data: list[dict[str, Any]] = []
    shares = {hop: _shares(h) for hop, h in histograms.items()}
    for hop, share in shares.items():
        positive = [k for k, value in enumerate(share) if value]
        low = max([k for k in positive if share[k] == share[0]], default=0)
        end = positive[-1] + 2 if positive else 0
        data.append(
            {"type": "scatter", "mode": "lines", "line": lines[hop], "name": names[hop], "x0": edges[low],
             "dx": edges[1] - edges[0], "y": [_digits(v) or None for v in share[low : end]]}
        )  # fmt: skip
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
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
    chart = _chart("Share of elements above an error", data, "log10 |error|", "share", log_y=True)
    chart["layout"] |= {"shapes": shapes, "annotations": notes}
    step, last = _per_decade(edges), len(edges) - 1
    rows = [
        [f"1e{round(edges[k])}", *(f"{100 * share[k]:.4g} %" for share in shares.values())]
        for k in range(0, last + 1, step)
        if any(share[max(k - step, 0)] != share[min(k + step, last)] for share in shares.values())
    ]
    caption = "What lies right of the limit breaks it." if shapes else "No limit is set on the largest error here."
    head = ["above", *(names[key] for key in histograms)]
    return {"chart": chart, "caption": caption, "table": _table(head, rows)}


def _by_magnitude(cells: Sequence[Sequence[int]]) -> Figure | None:
    """The error against the size of the reference, both logarithmic."""
    if not cells:
        return None
    errors, sizes = sorted({c[0] for c in cells}), sorted({c[1] for c in cells})
    rows = range(errors[0], errors[-1] + 1)
    columns = range(sizes[0], sizes[-1] + 1)
    counts = {(e, r): n for e, r, n in cells}
    z = [[_digits(math.log10(n), 3) if (n := counts.get((e, r), 0)) else None for r in columns] for e in rows]
    data = [
        {
            "type": "heatmap", "z": z, "colorscale": "Viridis",
            "colorbar": {"title": {"text": "log10 n"}, "thickness": 12},
            "x0": _middle(columns[0], REFERENCE_LOWEST), "dx": 1 / PER_DECADE,
            "y0": _middle(rows[0], ERROR_LOWEST), "dy": 1 / PER_DECADE,
        }
    ]  # fmt: skip
    chart = _chart("Error against the size of the reference", data, "log10 |reference|", "log10 |error|")
    low, high = (_middle(k, REFERENCE_LOWEST) for k in (max(columns[0], 2), max(columns[-1], 2)))
    line = {"dash": "dot", "width": 1, "color": "#888888"}
    chart["layout"]["shapes"] = [{"type": "line", "x0": low, "x1": high, "y0": low - 2, "y1": high - 2, "line": line}]
    half = [[_size_label(r), *_column(cells, r)] for r in sizes]
    caption = (
        "A flat band is an absolute error, a rising one a relative error; the dotted line is 1 % of the reference."
    )
    caption += _apart(errors, sizes)
    return {
        "chart": chart, "caption": caption,
        "table": _table(["|reference| from", "elements", "half of the errors below", "largest below"], half),
    }  # fmt: skip


def _apart(errors: Sequence[int], sizes: Sequence[int]) -> str:
    said = " The lowest row is exact equality." if errors[0] == 0 else ""
    return said + (" The first column is a reference of 0." if sizes[0] == 0 else "")


def _column(cells: Sequence[Sequence[int]], reference: int) -> list[Any]:
    found = sorted((e, n) for e, r, n in cells if r == reference)
    total, seen, half = sum(n for _, n in found), 0, found[-1][0]
    for e, n in found:
        seen += n
        if 2 * seen >= total:
            half = e
            break
    return [total, _upper(half), _upper(found[-1][0])]


def _upper(error_bin: int) -> str:
    if error_bin == 0:
        return "exact"
    return _power((error_bin - 1) / PER_DECADE + ERROR_LOWEST)


def _size_label(reference_bin: int) -> str:
    if reference_bin < 2:
        return ("0", "less")[reference_bin]
    return _power((reference_bin - 2) / PER_DECADE + REFERENCE_LOWEST)


def _power(exponent: float) -> str:
    return f"{10.0**exponent:.2g}"


def _channels(found: Mapping[str, Any]) -> Figure | None:
    worst = found["worst"]
    if not worst:
        return None
    axis, shown = found["axis"], len(worst)
    data = [{"type": "bar", "x": [str(c["channel"]) for c in worst], "y": [_digits(c["rmse"]) for c in worst],
             "marker": {"color": "#0072b2"}}]  # fmt: skip
    of = f"{shown} worst of {found['count']}" if found["count"] > shown else f"all {shown}"
    chart = _chart(f"Error by index of axis {axis} ({of})", data, f"index along axis {axis}", "RMS error")
    chart["layout"]["xaxis"] |= {"type": "category"}
    rows = [[c["channel"], c["rmse"], c["max"], c["bias"]] for c in worst]
    caption = f"If axis {axis} holds channels or classes, these are the bad ones. Total deviation."
    return {"chart": chart, "caption": caption, "table": _table(["index", "RMS error", "largest", "bias"], rows)}


def _positions(found: Mapping[str, Any] | None) -> list[Figure]:
    if found is None:
        return []
    made = []
    (down, across), (height, width) = found["axes"], found["shape"]
    rows_at, columns_at = found["starts"]
    cells = [
        (found["max"][i][j] or 0.0, found["mean"][i][j] or 0.0, i, j)
        for i in range(len(rows_at))
        for j in range(len(columns_at))
    ]
    worst = sorted(cells, key=lambda cell: (-cell[0], cell[2:]))[:10]
    rows = [[_span(rows_at, i, height), _span(columns_at, j, width), mean, top] for top, mean, i, j in worst]
    table = _table([f"axis {down}", f"axis {across}", "mean", "largest"], rows)
    for which, title in (("mean", "Mean |error| by position"), ("max", "Largest |error| by position")):
        data = [
            {"type": "heatmap", "z": [[_digits(v, 3) for v in row] for row in found[which]], "colorscale": "Viridis",
             "x": columns_at, "y": rows_at, "colorbar": {"thickness": 12}}
        ]  # fmt: skip
        chart = _chart(title, data, f"axis {across}", f"axis {down}")
        chart["layout"]["yaxis"] |= {"autorange": "reversed"}
        caption = f"Over all other axes; {height} × {width} positions in {len(rows_at)} × {len(columns_at)} cells."
        made.append({"chart": chart, "caption": caption, "table": table})
    return made


def _span(starts: Sequence[int], cell: int, length: int) -> str:
    last = (starts[cell + 1] if cell + 1 < len(starts) else length) - 1
    return str(starts[cell]) if last == starts[cell] else f"{starts[cell]}–{last}"


def _samples(found: Mapping[str, Any] | None) -> Figure | None:
    if found is None:
        return None
    series = (("max", "largest", "#d55e00"), ("rmse", "RMS", "#0072b2"))
    data = [
        {"type": "scatter", "mode": "markers", "name": name, "x": found["first"],
         "y": [_digits(v) or None for v in found[key]], "marker": {"color": color, "size": 5, "symbol": symbol}}
        for (key, name, color), symbol in zip(series, ("triangle-up", "circle"), strict=True)
    ]  # fmt: skip
    drawn = [v for trace in data for v in trace["y"] if v]
    wide = bool(drawn) and max(drawn) > WIDE * min(drawn)
    chart = _chart("Error of each sample", data, "sample", "|error|", log_y=wide)
    chart["layout"]["yaxis"] |= {} if wide else {"rangemode": "tozero"}
    grouped = len(found["first"]) < found["count"]
    least = "–" if found["least_max"] is None else f"{found['least_max']:.4g}"
    caption = f"The largest error of a sample is at least {least}. Total deviation; exact samples are not drawn."
    caption += f" Each point is a run of about {found['count'] / len(found['first']):.3g} samples." if grouped else ""
    rows = [[e["sample"], e["max"], e["rmse"]] for e in found["worst"]]
    return {"chart": chart, "caption": caption, "table": _table(["worst samples", "largest", "RMS error"], rows)}


def _chart(title: str, data: list[dict[str, Any]], x: str, y: str, *, log_y: bool = False) -> dict[str, Any]:
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


def index_text(index: Sequence[int]) -> str:
    return f"[{', '.join(map(str, index))}]"


def _table(head: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    return {"head": head, "rows": rows}


def _all(h: Mapping[str, Any]) -> list[int]:
    """Zero, below, the bins, above."""
    return [h["zero"], h["below"], *h["counts"], h["above"]]


def _shares(h: Mapping[str, Any]) -> list[float]:
    """Share of the elements above each edge."""
    counts = _all(h)
    total, left, made = sum(counts), h["above"], [h["above"]]
    for count in reversed(h["counts"]):
        left += count
        made.append(left)
    return [value / total if total else 0.0 for value in reversed(made)]


def _per_decade(edges: Sequence[float]) -> int:
    return round(1 / (edges[1] - edges[0]))


def _decades(histograms: Mapping[str, Any], edges: Sequence[float]) -> list[tuple[str, int, int]]:
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


def _middle(place: int, lowest: int) -> float:
    return (place - 2 + 0.5) / PER_DECADE + lowest


def _digits(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
