"""The engine's page: what the compiled engine does, layer by layer, with its scopes, bytes, memory and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trtbuild.core.parserwarnings import where
from trtbuild.engine import engine, recorded
from trtbuild.engine.inspection import document, inspect

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

# By the type that a layer reads first: Okabe-Ito colours, distinguishable with any colour vision.
COLOURS = {
    "float32": "#d55e00", "float16": "#0072b2", "bfloat16": "#56b4e9", "int8": "#009e73", "float8": "#cc79a7",
    "int4": "#e69f00", "float4": "#f0e442",
}  # fmt: skip
OTHER = "#888888"
NO_SCOPE = "(no scope)"


def collect(layers: Mapping[str, Any], scopes: ScopeMap, passport: Mapping[str, Any]) -> dict[str, Any]:
    """Page data from engine_layers.json; without layers where a version writes them in an unknown form."""
    if not layers["Layers"]:
        return {"understood": False, "unread": layers.get("Unread", []), "memory": layers.get("Memory", {})}
    made = document(inspect(engine(layers, "engine_layers.json"), scopes, plan_bytes=passport["bytes"]))
    rows = [{"index": i, **_row(row)} for i, row in enumerate(made.pop("layers"))]
    numbers = {row["name"]: row["index"] for row in rows}
    for finding in made["findings"]:
        names = finding.pop("layers")
        finding["rows"] = [numbers[name] for name in names if name in numbers]
        if nodes := [name for name in names if name not in numbers]:  # of the graph: no layer is left of them
            finding["what"] += f": {where(nodes)}"
    return {"understood": True, **made, "fp16_instead": _fp16_instead(made, passport), "rows": rows}


def _fp16_instead(made: Mapping[str, Any], passport: Mapping[str, Any]) -> str:
    """What an int8 engine without an int8 result says of itself, and what is recorded of others of its version."""
    sides = made["compute"]
    if not sides.get("operands", {}).get("int8") or sides["results"].get("int8"):
        return ""
    found = recorded.comparison(passport["flavour"], passport["version"])
    if found is None or not found.for_fp16:
        return ""
    moved = "" if made["total"]["unknown"] else f", and it moves {made['total']['bytes'] / 1e6:.1f} MB in one inference"
    own = f"no convolution or product of this engine writes int8{moved}"
    return f"{own}; {found}; {recorded.HINT}"


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "kind", "type", "scope", "operations", "own_operations", "bytes", "macs", "placed_by")
    sides = {side: [{key: one[key] for key in ("type", "shape", "layout")} for one in row[side]]
             for side in ("inputs", "outputs")}  # fmt: skip
    return {key: row[key] for key in kept} | sides


def charts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The engine as an icicle chart by scope: width shows bytes, colour the type that is read."""
    rows = [row for row in found.get("rows", ()) if row["bytes"]]
    if not rows:
        return []
    sizes: dict[tuple[str, ...], int] = {}
    for row in rows:
        path = _path(row)
        for depth in range(len(path) + 1):
            sizes[path[:depth]] = sizes.get(path[:depth], 0) + row["bytes"]
    nodes = [(path, path[-1] if path else "engine", size, OTHER) for path, size in sizes.items()]
    nodes += [((*_path(row), f"#{row['index']}"), _label(row), row["bytes"], colour(row)) for row in rows]
    trace = {
        "type": "icicle", "branchvalues": "total", "tiling": {"orientation": "v"}, "sort": False,
        "ids": ["/".join(path) or "engine" for path, _, _, _ in nodes],
        "labels": [label for _, label, _, _ in nodes],
        "parents": [("/".join(path[:-1]) or "engine") if path else "" for path, _, _, _ in nodes],
        "values": [size for _, _, size, _ in nodes],
        "marker": {"colors": [shade for _, _, _, shade in nodes]},
        "hovertemplate": "%{label}<br>%{value:,} bytes, %{percentRoot:.1%}<extra></extra>",
    }  # fmt: skip
    return [{"id": "engine-icicle", "title": "Bytes moved in one inference, by scope", "data": [trace],
             "layout": {"height": 520, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}}]  # fmt: skip


def legend(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Type -> colour, for the types that layers read."""
    seen = dict.fromkeys(_reads(row) for row in found.get("rows", ()) if row["bytes"])
    return [(kind or "unknown", COLOURS.get(kind, OTHER)) for kind in seen]


def colour(row: Mapping[str, Any]) -> str:
    return COLOURS.get(_reads(row), OTHER)


def _reads(row: Mapping[str, Any]) -> str:
    sides: Sequence[Mapping[str, Any]] = row["inputs"] or row["outputs"]
    return str(sides[0]["type"]) if sides else ""


def _path(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row["scope"].split("/")) if row["scope"] else (NO_SCOPE,)


def _label(row: Mapping[str, Any]) -> str:
    operation = row["operations"][0].rpartition("/")[2] if row["operations"] else row["name"]
    return f"{operation} ({row['kind']})"
