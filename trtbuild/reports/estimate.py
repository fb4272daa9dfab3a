"""The estimate's page: lower bounds of engine layers on the chosen device, and their flame graph by name scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.documents.estimate import Estimate, KindEstimate, ReportedEstimate
from trtbuild.latency.flame import flame_graph, read_layers
from trtbuild.latency.flame.formats import folded
from trtbuild.latency.flame.picture import picture
from trtbuild.latency.flame.values import Profile, Row
from trtbuild.reports.render import renderer

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

TOP = 30


def collect(estimate: Estimate) -> ReportedEstimate:
    """The part that ``report.json`` keeps: everything except the layers that are not among the slowest."""
    slowest = sorted(enumerate(estimate["layers"]), key=lambda row: (-row[1]["us"], row[0]))
    counted = [layer for _, layer in slowest if layer["limit"] != "nothing"]
    kinds: dict[tuple[str, str], list[float]] = {}
    for layer in counted:
        kinds.setdefault((layer["kind"], layer["type"]), []).append(layer["us"])
    by_kind: list[KindEstimate] = [
        {"kind": kind, "type": type, "layers": len(us), "us": sum(us)} for (kind, type), us in kinds.items()
    ]
    return {
        "schema_version": estimate["schema_version"], "says": estimate["says"], "device": estimate["device"],
        "notes": estimate["notes"], "total_us": estimate["total_us"], "by_limit_us": estimate["by_limit_us"],
        "layers": len(slowest), "counted": len(counted),
        "by_kind": sorted(by_kind, key=lambda row: (-row["us"], row["kind"], row["type"])),
        "top": [{"index": i, **layer} for i, layer in slowest[:TOP] if layer["us"] > 0],
    }  # fmt: skip


def files(
    estimate: Estimate, engine_layers: Sequence[object], scopes: ScopeMap, title: str,
    templates: Mapping[str, Path],
) -> dict[str, str]:  # fmt: skip
    """``estimate.svg`` and ``estimate.folded``, in which one sample is one microsecond of lower bound."""
    rows = tuple(Row(layer["name"], round(layer["us"] * 1000)) for layer in estimate["layers"])
    profile = Profile("engine_layers.json", "estimate", rows, None)
    device = estimate["device"]["name"]
    graph = flame_graph(profile, read_layers({"Layers": list(engine_layers)}), scopes, latency_source=device)
    drawn = picture(graph, f"ESTIMATE for {device}: {title}", "estimate")
    return {"estimate.svg": renderer(templates)("flamegraph.svg.j2", {"p": drawn}), "estimate.folded": folded(graph)}
