"""An ONNX graph as a small outline (data), and the outline as an inline SVG: layers from top to bottom.

The outline is made where onnx is loaded anyway, the picture without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import onnx

_Node = TypedDict("_Node", {"op": str, "name": str, "from": list[int]})
MOST_NODES = 80
_ROW, _HEIGHT, _LETTER, _GAP = 44, 24, 7.2, 18


class OutlineNode(_Node, total=False):
    body: str


def outline(model: onnx.ModelProto) -> list[OutlineNode]:
    """Nodes in order, inputs first: ``{"op", "name", "from": [indices]}``; constants are left out, bodies noted."""
    from trtbuild.graphs.graph import subgraphs

    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    made: dict[str, int] = {}
    found: list[OutlineNode] = []
    for value in graph.input:
        if value.name not in constants:
            made[value.name] = len(found)
            found.append({"op": "", "name": value.name, "from": []})
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        inner = subgraphs(node)
        bodies = [sorted({n.op_type for n in body.node if n.op_type != "Constant"}) for body in inner]
        names = [*node.input, *(name for body in inner for n in body.node for name in n.input)]
        sources = sorted({made[name] for name in names if name in made})
        note = "; ".join(", ".join(body[:6]) for body in bodies)
        found.append({"op": node.op_type, "name": node.name, "from": sources})
        if note:
            found[-1]["body"] = note
        made |= {name: len(found) - 1 for name in node.output if name}
    for value in graph.output:
        if value.name in made:
            found.append({"op": "", "name": value.name, "from": [made[value.name]]})
    return found


def svg(nodes: Sequence[OutlineNode], bad: Sequence[str] = ()) -> str:
    """The picture; nodes named in ``bad`` are marked.  "" for a graph too large to read."""
    if not nodes or len(nodes) > MOST_NODES:
        return ""
    depth: list[int] = []
    for node in nodes:
        depth.append(1 + max((depth[i] for i in node["from"]), default=-1))
    rows: dict[int, list[int]] = {}
    for i, level in enumerate(depth):
        rows.setdefault(level, []).append(i)
    labels = [_label(node) for node in nodes]
    widths = [max(36.0, len(label) * _LETTER + 14) for label in labels]
    total = max(sum(widths[i] + _GAP for i in row) for row in rows.values())
    at: dict[int, tuple[float, float]] = {}
    for level, row in sorted(rows.items()):
        # A node stands as near below what it reads as its row allows.
        row.sort(key=lambda i: sum(at[j][0] for j in nodes[i]["from"]) / max(1, len(nodes[i]["from"])))
        x = (total - sum(widths[i] + _GAP for i in row) + _GAP) / 2
        for i in row:
            at[i] = (x + widths[i] / 2, level * _ROW + _HEIGHT / 2 + 2)
            x += widths[i] + _GAP
    height = max(rows) * _ROW + _HEIGHT + 4
    size = f'viewBox="0 0 {total:.0f} {height}" width="{total:.0f}" height="{height}"'
    parts = [f'<svg class="graph" {size} role="img" aria-label="graph of {len(nodes)} nodes">']
    for i, node in enumerate(nodes):
        parts += [_edge(at[j], at[i]) for j in node["from"]]
    parts += [_box(nodes[i], labels[i], widths[i], at[i], nodes[i]["name"] in bad) for i in range(len(nodes))]
    return "".join([*parts, "</svg>"])


def _label(node: OutlineNode) -> str:
    return str(node["op"] or node["name"])[:28]


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + _HEIGHT / 2, y2 - _HEIGHT / 2
    middle = (y1 + y2) / 2
    return f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}"/>'


def _box(node: OutlineNode, label: str, width: float, at: tuple[float, float], bad: bool) -> str:
    x, y = at
    kind = "bad" if bad else "io" if not node["op"] else "op"
    told = " ".join(filter(None, (node["op"], node["name"], f"[{node['body']}]" if node.get("body") else "")))
    return (
        f'<g class="{kind}"><title>{escape(told)}</title><rect x="{x - width / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" '
        f'width="{width:.0f}" height="{_HEIGHT}" rx="{12 if kind == "io" else 4}"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}">{escape(label)}</text></g>'
    )
