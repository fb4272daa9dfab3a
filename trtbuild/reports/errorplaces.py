"""Figures of where errors are: by the size of the reference, by channel, by position and by sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtbuild.documents.deviation import PositionErrors, SampleErrors, WorstChannels
from trtbuild.reports.figure import Figure, on_floor, plot, rounded, table

WIDE = 100  # largest over smallest: over less than two decades, a logarithmic axis has hardly any labels
# The 2-D histogram's bins (deviation/breakdown.py): two per decade, after one for 0 and one for all below.
PER_DECADE, ERROR_LOWEST, REFERENCE_LOWEST = 2, -12, -8


def by_magnitude(cells: Sequence[Sequence[int]]) -> Figure | None:
    """The error against the size of the reference, both logarithmic."""
    if not cells:
        return None
    errors, sizes = sorted({c[0] for c in cells}), sorted({c[1] for c in cells})
    rows = range(errors[0], errors[-1] + 1)
    columns = range(sizes[0], sizes[-1] + 1)
    counts = {(e, r): n for e, r, n in cells}
    z = [[rounded(math.log10(n), 3) if (n := counts.get((e, r), 0)) else None for r in columns] for e in rows]
    data = [
        {
            "type": "heatmap", "z": z, "colorscale": "Viridis",
            "colorbar": {"title": {"text": "log10 n"}, "thickness": 12},
            "x0": _middle(columns[0], REFERENCE_LOWEST), "dx": 1 / PER_DECADE,
            "y0": _middle(rows[0], ERROR_LOWEST), "dy": 1 / PER_DECADE,
        }
    ]  # fmt: skip
    chart = plot("Error against the size of the reference", data, "log10 |reference|", "log10 |error|")
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
        "table": table(["|reference| from", "elements", "half of the errors below", "largest below"], half),
    }  # fmt: skip


def _apart(errors: Sequence[int], sizes: Sequence[int]) -> str:
    said = " The lowest row is exact equality." if errors[0] == 0 else ""
    return said + (" The first column is a reference of 0." if sizes[0] == 0 else "")


def _column(cells: Sequence[Sequence[int]], reference: int) -> list[object]:
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


def _middle(place: int, lowest: int) -> float:
    return (place - 2 + 0.5) / PER_DECADE + lowest


def channels(found: WorstChannels) -> Figure | None:
    worst = found["worst"]
    if not worst:
        return None
    axis, shown = found["axis"], len(worst)
    data = [{"type": "bar", "x": [str(c["channel"]) for c in worst], "y": [rounded(c["rmse"]) for c in worst],
             "marker": {"color": "#0072b2"}}]  # fmt: skip
    of = f"{shown} worst of {found['count']}" if found["count"] > shown else f"all {shown}"
    chart = plot(f"Error by index of axis {axis} ({of})", data, f"index along axis {axis}", "RMS error")
    chart["layout"]["xaxis"] |= {"type": "category"}
    rows = [[c["channel"], c["rmse"], c["max"], c["bias"]] for c in worst]
    caption = f"If axis {axis} holds channels or classes, these are the bad ones. Total deviation."
    return {"chart": chart, "caption": caption, "table": table(["index", "RMS error", "largest", "bias"], rows)}


def positions(found: PositionErrors | None) -> list[Figure]:
    if found is None:
        return []
    made: list[Figure] = []
    (down, across), (height, width) = found["axes"], found["shape"]
    rows_at, columns_at = found["starts"]
    cells = [
        (found["max"][i][j] or 0.0, found["mean"][i][j] or 0.0, i, j)
        for i in range(len(rows_at))
        for j in range(len(columns_at))
    ]
    worst = sorted(cells, key=lambda cell: (-cell[0], cell[2:]))[:10]
    rows = [[_span(rows_at, i, height), _span(columns_at, j, width), mean, top] for top, mean, i, j in worst]
    worst_cells = table([f"axis {down}", f"axis {across}", "mean", "largest"], rows)
    for values, title in ((found["mean"], "Mean |error| by position"), (found["max"], "Largest |error| by position")):
        data = [
            {"type": "heatmap", "z": [[rounded(v, 3) for v in row] for row in values], "colorscale": "Viridis",
             "x": columns_at, "y": rows_at, "colorbar": {"thickness": 12}}
        ]  # fmt: skip
        chart = plot(title, data, f"axis {across}", f"axis {down}")
        chart["layout"]["yaxis"] |= {"autorange": "reversed"}
        caption = f"Over all other axes; {height} × {width} positions in {len(rows_at)} × {len(columns_at)} cells."
        made.append({"chart": chart, "caption": caption, "table": worst_cells})
    return made


def _span(starts: Sequence[int], cell: int, length: int) -> str:
    last = (starts[cell + 1] if cell + 1 < len(starts) else length) - 1
    return str(starts[cell]) if last == starts[cell] else f"{starts[cell]}–{last}"


def samples(found: SampleErrors | None) -> Figure | None:
    if found is None:
        return None
    series = ((found["max"], "largest", "#d55e00"), (found["rmse"], "RMS", "#0072b2"))
    data = [
        {"type": "scatter", "mode": "markers", "name": name, "x": found["first"],
         "y": [rounded(v) for v in values], "marker": {"color": color, "size": 5, "symbol": symbol}}
        for (values, name, color), symbol in zip(series, ("triangle-up", "circle"), strict=True)
    ]  # fmt: skip
    drawn = [v for values, *_ in series for value in values if (v := rounded(value))]  # exact ones stand below
    wide = bool(drawn) and max(drawn) > WIDE * min(drawn)
    chart = plot("Error of each sample", data, "sample", "|error|", log_y=wide)
    if wide:
        on_floor(chart)
    else:
        chart["layout"]["yaxis"] |= {"rangemode": "tozero"}
    grouped = len(found["first"]) < found["count"]
    least = "–" if found["least_max"] is None else f"{found['least_max']:.4g}"
    caption = f"The largest error of a sample is at least {least}. Total deviation; exact samples stand on the line 0."
    caption += f" Each point is a run of about {found['count'] / len(found['first']):.3g} samples." if grouped else ""
    rows = [[e["sample"], e["max"], e["rmse"]] for e in found["worst"]]
    return {"chart": chart, "caption": caption, "table": table(["worst samples", "largest", "RMS error"], rows)}
