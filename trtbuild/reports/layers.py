"""layers: the error of every layer in order, the first jump, and the largest errors by scope and operation type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from trtbuild.documents.layers import (
    Jump,
    JumpPlace,
    Layer,
    LayerGroup,
    LayerRow,
    Layers,
    ReportedJump,
    ReportedLayers,
    TensorError,
    View,
)
from trtbuild.layers.jumps import floor
from trtbuild.reports import scopebands
from trtbuild.reports.figure import Chart, Trace, on_ceiling, on_floor

HOPS = {"export": "exporter", "precision": "precision", "total": "total"}
HOP_NAMES = {"export": "exporter (TensorFlow → ONNX)", "total": "in all (reference → what runs)"}
# Okabe-Ito colours, each with a marker: distinguishable with any colour vision, and in black and white.
STYLES = (
    ("#d55e00", "circle"), ("#0072b2", "square"), ("#009e73", "diamond"), ("#cc79a7", "cross"), ("#e69f00", "x"),
    ("#56b4e9", "triangle-up"), ("#888888", "star"),
)  # fmt: skip
NOT_THE_ENGINE = (
    "Layers are those of the lowered graph in ONNX Runtime: an engine shows only its outputs, not the tensors between."
)
Number = Literal["median", "max", "nrmse", "sqnr_db"]
NAMED = 5  # tensors left out for the same reason
CHANGED = 0.1  # taps that move the outputs by more than this share of the deviation spoil the numbers
WHY = {
    "outlier": "its own error is {times_typical:.3g} times that of other layers of the same dtype",
    "alone": "its own error is {times_typical:.3g} times the rounding of its dtype; other layers have less",
    "excess": "its own error is {times_expected:.3g} times the unavoidable error of quantising it",
    "growth": "the error grows {growth:.3g}-fold here; the layer's own error is not known",
    "nonfinite": "it turns finite inputs into NaN or infinity",
}


def collect(layers: Layers) -> ReportedLayers:
    """Page data from layers.json: rows in topological order, jumps, and sums by scope and type."""
    rows = [_row(index, layer) for index, layer in enumerate(layers["layers"])]
    numbers = {row["name"]: row for row in rows}
    jumps: dict[str, list[ReportedJump]] = {
        hop: [{**jump, **_place(numbers[jump["name"]], hop), "says": _says(jump)} for jump in found]
        for hop, found in layers["jumps"].items()
    }
    for hop, found in jumps.items():
        for i, jump in enumerate(found):
            numbers[jump["name"]]["jumps"].append(f"{'first ' if i == 0 else ''}jump ({HOPS[hop]})")
    return {
        "mode": layers["mode"], "scope": layers["scope"], "op": layers["op"], "samples": layers["samples"],
        "reference": layers["reference"], "taps": layers["taps"],
        "rows": rows, "jumps": jumps, "notes": notes(layers),
        "by_scope": grouped(rows, "top_scope"), "by_type": grouped(rows, "type"),
    }  # fmt: skip


def _row(index: int, layer: Layer) -> LayerRow:
    scope = layer["scope"].split("/")
    return {
        "index": index, "name": layer["name"], "tensor": layer["tensor"], "path": layer["path"],
        "scope": layer["scope"], "type": layer["type"], "op": layer["op"], "members": layer["members"],
        "dtype": layer["dtype"], "shape": layer["shape"], "proof": layer["proof"],
        "expected_nrmse": layer["expected_nrmse"], "top_scope": "/".join(scope[:2]) or "(no scope)",
        "cumulative": layer["cumulative"], "local": layer["local"], "jumps": [],
    }  # fmt: skip


def _says(jump: Jump) -> str:
    return WHY["alone" if jump["why"] == "outlier" and jump["alone"] else jump["why"]].format(**jump)


def _place(row: LayerRow, hop: str) -> JumpPlace:
    """Where a jump is; before lowering, all layers compute in float32."""
    dtype = "float32" if hop == "export" else row["dtype"]
    return {"index": row["index"], "path": row["path"], "type": row["type"], "dtype": dtype}


def grouped(rows: Sequence[LayerRow], key: Literal["top_scope", "type"]) -> list[LayerGroup]:
    """Layers by scope or type, largest local error first: count, worst and median local error, worst cumulative one."""
    groups: dict[str, list[LayerRow]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    found: list[LayerGroup] = []
    for name, members in groups.items():
        local = sorted(_numbers(members, "local"))
        total = _numbers(members, "cumulative")
        found.append(
            {"name": name, "count": len(members), "worst_local": local[-1] if local else None,
             "median_local": local[len(local) // 2] if local else None, "worst_total": max(total, default=None),
             "first": members[0]["index"]}
        )  # fmt: skip
    return sorted(found, key=lambda group: (-(group["worst_local"] or 0.0), group["first"]))


def _numbers(rows: Sequence[LayerRow], view: View) -> list[float]:
    found = (row[view].get("total") for row in rows)
    return [numbers["nrmse"] for numbers in found if numbers is not None and numbers["nrmse"] is not None]


def notes(layers: Layers) -> list[str]:
    """What a reader must know about the taps."""
    taps = layers["taps"]
    lines = []
    if taps["mode"] == "fusion" and not taps["emulated"]:
        lines.append(
            "Only tensors that the runtime's fusions leave alone were compared; its fused kernels computed them."
        )
    if taps["mode"] == "per_op":
        lines.append("Each tensor was computed by its own graph, in which everything before it could be fused.")
    if taps["emulated"]:
        from trtbuild.graphs import rounding

        lines.append(f"Emulated: {rounding.in_words(taps['emulated'])}.")
    last = next((row["cumulative"].get("total") for row in reversed(layers["layers"])), None)
    deviates = (last["nrmse"] or 0.0) if last else 0.0
    for side, change in taps["outputs"].items():
        moved = change["nrmse"] > max(CHANGED * deviates, floor("float32"))
        if change["compared"] and last and moved:
            lines.append(
                f"Tapping changed the final outputs of the {side} graph by {change['nrmse']:.2g} of their RMS, which "
                "is not small against the deviation: read the numbers with care, or use layers=fusion."
            )
    left_out: dict[str, list[str]] = {}
    for name, why in sorted((taps["wrongly_mapped"] | taps["undecided"]).items()):
        left_out.setdefault(why, []).append(name)
    for why, names in left_out.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"{', '.join(names[:NAMED])}{more} {'was' if len(names) == 1 else 'were'} left out: {why}.")
    if not taps["compared"]:
        lines.append("No tensor could be compared.")
    return lines


def charts(variants: Mapping[str, ReportedLayers]) -> list[Chart]:
    """Figures for one variant, or for several variants of a model overlaid (variant -> page data)."""
    single = len(variants) == 1
    order = {name: i for i, name in enumerate(_merged([[row["name"] for row in p["rows"]] for p in variants.values()]))}
    median, local, quality = [], [], []
    for page, (label, (colour, marker)) in zip(variants.values(), _styled(variants), strict=True):
        hops = [hop for hop in ("export", "total") if any(hop in row["cumulative"] for row in page["rows"])]
        for hop in hops if single else ("total",):
            name = HOPS[hop] if single else label
            shade = {"color": "#0072b2" if single and hop == "export" else colour}
            style = {"mode": "lines+markers", "line": {**shade, "width": 1}}
            shape = {"symbol": "square" if single and hop == "export" else marker, "size": 6, **shade}
            median.append(
                {**_series(page, order, "cumulative", hop, "median", f"{name}: median"), **style, "marker": shape}
            )
            median.append(
                {**_series(page, order, "cumulative", hop, "max", f"{name}: maximum"), "mode": "markers",
                 "marker": {**shape, "size": 4, "opacity": 0.5}, "visible": True if single else "legendonly"}
            )  # fmt: skip
            local.append({**_series(page, order, "local", hop, "nrmse", name), **style, "marker": shape})
            quality.append({**_series(page, order, "cumulative", hop, "sqnr_db", name), **style, "marker": shape})
        expected = [row["expected_nrmse"] for row in page["rows"]]
        if single and any(expected):
            local.append(
                {"type": "scatter", "mode": "markers", "name": "unavoidable error of quantising",
                 "x": [order[row["name"]] for row in page["rows"]], "y": [value or None for value in expected],
                 "marker": {"symbol": "line-ew-open", "color": "#888888", "size": 9}}
            )  # fmt: skip
    scopes = {row["name"]: row["scope"] for page in variants.values() for row in page["rows"]}
    axis = scopebands.layout(scopebands.bands([scopes[name] for name in order]))
    own = "Own error of every layer: fed with the reference's inputs"
    figures = [
        _figure("layers-median", "Error of every layer: the graph as it runs", median, "|error| / RMS", axis, log=True),
        _figure("layers-local", own, local, "RMS error / RMS", axis, log=True),
        _figure("layers-sqnr", "Signal to quantisation noise", quality, "SQNR (dB)", axis, log=False),
    ]
    for figure in figures[:2]:
        on_floor(figure)
    on_ceiling(figures[2], "exact")
    return figures


def _merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """One topological order of all layers; a layer that only some variants have follows its predecessor there."""
    merged: list[str] = list(orders[max(range(len(orders)), key=lambda i: len(orders[i]))]) if orders else []
    for names in orders:
        at = 0
        for name in names:
            if name in merged:
                at = merged.index(name) + 1
            else:
                merged.insert(at, name)
                at += 1
    return merged


def _styled(variants: Mapping[str, object]) -> list[tuple[str, tuple[str, str]]]:
    return [(label, STYLES[i % len(STYLES)]) for i, label in enumerate(variants)]


def _series(
    page: ReportedLayers, order: Mapping[str, int], view: View, hop: str, number: Number, name: str
) -> Trace:
    """One line over the layers, with gaps where the number is missing; what is exact has an infinite SQNR."""
    errors = [row[view].get(hop) for row in page["rows"]]
    values = [None if error is None else _value(error, number) for error in errors]
    return {
        "type": "scatter", "name": name, "connectgaps": False,
        "x": [order[row["name"]] for row in page["rows"]], "y": values,
        "text": [
            f"{row['path']} ({row['type']}, {row['dtype']})<br>{'–' if value is None else f'{value:.3g}'}"
            for row, value in zip(page["rows"], values, strict=True)
        ],
        "customdata": [f"#layer-{row['index']}" for row in page["rows"]],
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }  # fmt: skip


def _value(error: TensorError, number: Number) -> float | None:
    value = error[number]
    if number == "sqnr_db" and value is None and error["nrmse"] == 0 and not error["nonfinite"]:
        return math.inf
    return None if value is None else _short(value)


def _short(value: float) -> float:
    """Five significant digits: as much as a pixel shows."""
    return float(f"{value:.5g}")


def _figure(identity: str, title: str, data: list[Trace], y: str, axis: Chart, *, log: bool) -> Chart:
    return {
        "id": identity, "title": title, "data": data,
        "layout": {
            "height": 440, "margin": {"l": 60, "r": 12, "t": 54, "b": 48}, **axis,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            "yaxis": {"title": {"text": y}, **({"type": "log", "exponentformat": "power"} if log else {})},
        },
    }  # fmt: skip
