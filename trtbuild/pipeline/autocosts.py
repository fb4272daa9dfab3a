"""What a compiled engine costs: every layer, by its estimate on the device, or by the bytes that it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trtbuild.auto.costs import LayerCost
from trtbuild.core.step import Step
from trtbuild.documents import reading
from trtbuild.documents.estimate import Bounded, Estimate
from trtbuild.engine import inspection
from trtbuild.engine.mapping import graph_names
from trtbuild.engine.reading import engine as read_engine


@dataclass(frozen=True)
class EngineCost:
    """``total``: of all layers, in microseconds, or in bytes where there is no device."""

    layers: list[LayerCost]
    total: float
    bytes_moved: int


def engine_cost(root: Path, roles: Mapping[str, Step]) -> EngineCost:
    """``roles``: the steps of a variant that was built, with an estimate if there is a device."""
    path = root / roles["engine"].folder / "engine_layers.json"
    rows = inspection.inspect(read_engine(reading.read_json(path), path.name)).rows
    moved = [row.work.bytes or 0 for row in rows]
    costs: list[tuple[float, Bounded | None]] = [(float(size), None) for size in moved]
    if "estimate" in roles:
        estimate: Estimate = reading.read(root / roles["estimate"].folder / "estimate.json", Estimate)
        costs = [(layer["us"], layer["limit"]) for layer in estimate["layers"]]
    layers = [LayerCost(graph_names(row.layer), *cost) for row, cost in zip(rows, costs, strict=True)]
    return EngineCost(layers, sum(cost for cost, _ in costs), sum(moved))
