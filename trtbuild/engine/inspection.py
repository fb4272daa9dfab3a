"""One compiled engine, put together: rows with scope and work, totals and findings; also as one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trtbuild.engine.findings import Finding, find
from trtbuild.engine.mapping import Place, places
from trtbuild.engine.values import COMPUTE, Engine, EngineLayer
from trtbuild.engine.work import Work, work

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One layer: where it comes from, and what it moves and computes."""

    layer: EngineLayer
    place: Place
    work: Work


@dataclass(frozen=True)
class Total:
    """Totals of a group of layers; ``bytes`` leaves out the ``unknown`` layers, whose bytes the record lacks."""

    layers: int
    bytes: int
    macs: int
    unknown: int


@dataclass(frozen=True)
class Inspection:
    engine: Engine
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    plan_bytes: int | None = None

    @property
    def total(self) -> Total:
        return _total(self.rows)

    @property
    def constants_told(self) -> bool:
        """Whether the record lists weights; where it does not, bytes cover activations alone."""
        return any(row.layer.constants is not None or row.layer.weights is not None for row in self.rows)

    def by_kind(self) -> dict[str, Total]:
        return _grouped(self.rows, [row.layer.kind for row in self.rows])

    def by_scope(self) -> dict[str, Total]:
        return _grouped(self.rows, [row.place.scope for row in self.rows])

    def bytes_by_type(self) -> dict[str, int]:
        """Bytes of all tensors read or written, including constants, by type; "" where it is unknown."""
        found: Counter[str] = Counter()
        for row in self.rows:
            for tensor in row.layer.tensors:
                found[tensor.type] += tensor.bytes(self.engine.optimum) or 0
            if row.layer.constants is None and row.layer.weights is not None:
                found[row.layer.weights[0]] += row.work.constants or 0
        return dict(found.most_common())

    def compute_types(self) -> dict[str, dict[str, float]]:
        """Shares of convolutions and products by the type that they read, and by the type that they write.

        Weighted by multiply-accumulates, or by count where any layer's are unknown.
        """
        rows = [row for row in self.rows if row.layer.kind in COMPUTE and row.layer.inputs and row.layer.outputs]
        known = all(row.work.macs for row in rows)
        sides: dict[str, Counter[str]] = {"operands": Counter(), "results": Counter()}
        for row in rows:
            weight = (row.work.macs or 0) if known else 1
            sides["operands"][row.layer.inputs[0].type] += weight
            sides["results"][row.layer.outputs[0].type] += weight
        return {
            side: {kind: round(count / found.total(), 6) for kind, count in found.most_common()}
            for side, found in sides.items()
            if found.total()
        }


def inspect(engine: Engine, scopes: ScopeMap | None = None, *, plan_bytes: int | None = None) -> Inspection:
    """An engine with scopes (from a build's ``scopes.json``), work and findings; ``plan_bytes``: its file's size."""
    where = places(engine.layers, scopes)
    rows = [Row(layer, place, work(layer, engine.optimum)) for layer, place in zip(engine.layers, where, strict=True)]
    return Inspection(engine, tuple(rows), tuple(find(engine)), plan_bytes)


def _grouped(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, Total]:
    groups: dict[str, list[Row]] = {}
    for row, key in zip(rows, keys, strict=True):
        groups.setdefault(key, []).append(row)
    totals = {key: _total(members) for key, members in groups.items()}
    return dict(sorted(totals.items(), key=lambda item: (-item[1].bytes, -item[1].layers, item[0])))


def _total(rows: Sequence[Row]) -> Total:
    sizes = [row.work.bytes for row in rows]
    return Total(
        len(rows), sum(size or 0 for size in sizes), sum(row.work.macs or 0 for row in rows),
        sum(size is None for size in sizes),
    )  # fmt: skip


def document(inspection: Inspection) -> dict[str, Any]:
    """Everything, as ``trtbuild inspect --json`` prints it; bytes are integers, null where the record lacks them."""

    def tensors(side: Sequence[Any]) -> list[dict[str, Any]]:
        return [{"name": t.name, "type": t.type, "shape": list(t.shape), "layout": t.layout} for t in side]

    def row(one: Row) -> dict[str, Any]:
        layer = one.layer
        return {
            "name": layer.name, "kind": layer.kind, "type": layer.type, "tactic": layer.tactic, "stream": layer.stream,
            "scope": one.place.scope, "operations": list(one.place.operations), "placed_by": one.place.how,
            "own_operations": list(one.place.own),
            "nodes": None if layer.nodes is None else list(layer.nodes),
            "inputs": tensors(layer.inputs), "outputs": tensors(layer.outputs),
            "constants": None if layer.constants is None else tensors(layer.constants),
            "bytes": one.work.bytes, "bytes_read": one.work.read, "bytes_written": one.work.written,
            "bytes_constants": one.work.constants, "macs": one.work.macs,
        }  # fmt: skip

    return {
        "schema": SCHEMA,
        "source": inspection.engine.source,
        "dynamic_counts_as": inspection.engine.optimum if inspection.engine.dynamic else None,
        "constants_told": inspection.constants_told,
        "total": asdict(inspection.total),
        "plan_bytes": inspection.plan_bytes,
        "memory": asdict(inspection.engine.memory),
        "by_kind": {kind: asdict(total) for kind, total in inspection.by_kind().items()},
        "by_scope": {scope: asdict(total) for scope, total in inspection.by_scope().items()},
        "bytes_by_type": inspection.bytes_by_type(),
        "compute": inspection.compute_types(),
        "findings": [asdict(finding) for finding in inspection.findings],
        "unread": [asdict(one) for one in inspection.engine.unread],
        "layers": [row(one) for one in inspection.rows],
    }
