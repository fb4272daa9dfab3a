"""The estimate's page: lower bounds of engine layers on the chosen device, and their flame graph by name scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.engine.estimate import EstimateDocument
from trtbuild.latency.flame import flame_graph, read_layers
from trtbuild.latency.flame.formats import folded
from trtbuild.latency.flame.picture import picture
from trtbuild.latency.flame.values import Profile, Row
from trtbuild.reports.render import renderer

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

TOP = 30


def collect(estimate: EstimateDocument) -> dict[str, object]:
    """What ``report.json`` keeps: all but the layers that are not among the slowest."""
    rows = sorted(enumerate(estimate["layers"]), key=lambda row: (-row[1]["us"], row[0]))
    kinds: dict[tuple[str, str], list[float]] = {}
    for _, layer in rows:
        if layer["limit"] != "nothing":
            kinds.setdefault((layer["kind"], layer["type"]), []).append(layer["us"])
    by_kind = [{"kind": k, "type": t, "layers": len(us), "us": sum(us)} for (k, t), us in kinds.items()]
    return {
        **{key: value for key, value in estimate.items() if key != "layers"},
        "counted": sum(layer["limit"] != "nothing" for _, layer in rows), "layers": len(rows),
        "by_kind": sorted(by_kind, key=lambda row: (-float(str(row["us"])), str(row["kind"]), str(row["type"]))),
        "top": [{"index": i, **layer} for i, layer in rows[:TOP] if layer["us"] > 0],
    }  # fmt: skip


def files(
    estimate: EstimateDocument, engine_layers: Sequence[object], scopes: ScopeMap, title: str,
    templates: Mapping[str, Path],
) -> dict[str, str]:  # fmt: skip
    """``estimate.svg`` and ``estimate.folded``, in which one sample is one microsecond of lower bound."""
    rows = tuple(Row(layer["name"], round(layer["us"] * 1000)) for layer in estimate["layers"])
    profile = Profile("engine_layers.json", "estimate", rows, None)
    device = str(estimate["device"].get("name"))
    graph = flame_graph(profile, read_layers({"Layers": list(engine_layers)}), scopes, latency_source=device)
    drawn = picture(graph, f"ESTIMATE for {device}: {title}", "estimate")
    return {"estimate.svg": renderer(templates)("flamegraph.svg.j2", {"p": drawn}), "estimate.folded": folded(graph)}
