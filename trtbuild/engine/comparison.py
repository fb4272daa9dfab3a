"""Two compiled engines of one model, in two precisions or TensorRT versions -> what differs, by TensorFlow scope.

Layers are matched by the operations that they compute, because their names differ between versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trtbuild.documents.compiled import CompiledEngine
from trtbuild.documents.enginecomparison import (
    EngineComparison,
    EngineTotals,
    FusionChange,
    Pair,
    ScopeChange,
    TypeChange,
)
from trtbuild.documents.estimate import ReportedEstimate
from trtbuild.engine.units import Side, Unit, computes

_SIDES = ("new", "old")
Estimates = tuple[ReportedEstimate | None, ReportedEstimate | None]


def compare_engines(
    new: CompiledEngine | None, old: CompiledEngine | None, *, estimates: Estimates = (None, None)
) -> EngineComparison:
    """What differs between two engines; ``why`` is set where a report does not have its engine's layers."""
    if new is None or old is None or (why := _unrecorded(new, old)):
        return _nothing(why if new and old else f"the {'old' if new else 'new'} engine's layers are not recorded")
    weights = new["constants_told"] and old["constants_told"]
    a, b = Side(new, weights=weights), Side(old, weights=weights)
    fusions, types = _fusions(a, b), _types_changed(a, b)
    root = _root([*a.by_scope, *b.by_scope])
    changes: Counter[tuple[str, str]] = Counter((one["scope"], one["change"]) for one in fusions)
    retyped = Counter(one["scope"] for one in types)
    scopes = [_scope(name, a, b, changes, retyped) for name in dict.fromkeys([*a.by_scope, *b.by_scope])]
    changed = [one for one in scopes if _differs(one)]
    kinds = [Counter(row["kind"] for row in side.rows) for side in (a, b)]
    return {
        "why": "",
        "notes": [*_notes(a, b), *_estimate_notes(estimates, a, b)],
        "layers_changed": a.layers() != b.layers(),
        "totals": _totals(a, b, estimates),
        "kinds": {kind: pair(kinds[0][kind], kinds[1][kind]) for kind in sorted({*kinds[0], *kinds[1]})},
        "root": root,
        "scopes": sorted(changed, key=lambda one: (-_moved(one), one["scope"])),
        "same_scopes": len(scopes) - len(changed),
        "fusions": fusions,
        "types": types,
    }


def group(scope: str, root: str) -> str:
    """The part of a scope by which a person knows it: the first name below what all scopes begin with.

    >>> group("net/encoder/stem", "net"), group("encoder/stem", ""), group("net", "net")
    ('net/encoder', 'encoder', 'net')
    """
    below = scope[len(root) + 1 :] if root else scope
    first = below.partition("/")[0]
    return "/".join(part for part in (root, first) if part)


def pair(new: float | None, old: float | None, *, comparable: bool = True) -> Pair:
    ratio = new / old if comparable and new is not None and old else None
    return {"new": new, "old": old, "ratio": 1.0 if comparable and new is not None and new == old else ratio}


def recorded(engine: CompiledEngine | None) -> CompiledEngine | None:
    """The engine of a report that has its layers, with the operations that each computes; otherwise None."""
    return engine if engine is not None and _unrecorded(engine, engine) == "" else None


def _unrecorded(new: CompiledEngine, old: CompiledEngine) -> str:
    for name, engine in zip(_SIDES, (new, old), strict=True):
        if not engine.get("understood") or "rows" not in engine:
            return f"the {name} engine's layers were not understood"
        if any("own_operations" not in row for row in engine["rows"]):
            return f"the {name} report was written before layers were compared; build it again"
    return ""


def _nothing(why: str) -> EngineComparison:
    return {
        "why": why, "notes": [], "layers_changed": False, "totals": None, "kinds": {}, "root": "", "scopes": [],
        "same_scopes": 0, "fusions": [], "types": [],
    }  # fmt: skip


def _fusions(new: Side, old: Side) -> list[FusionChange]:
    """Fusions of operations that both engines list; one is kept where a larger one has all its operations."""
    both = new.by_operation.keys() & old.by_operation.keys()
    found: list[FusionChange] = []
    for change, side, other in (("vanished", old, new), ("appeared", new, old)):
        for unit in side.units:
            wanted = unit.operations & both
            if len(wanted) > 1 and not any(wanted <= there.operations for there in _holders(wanted, other)):
                found.append({
                    "change": "vanished" if change == "vanished" else "appeared", "scope": unit.row["scope"],
                    "layer": unit.row["name"],
                    "operations": [name for name in unit.row["operations"] if name in wanted],
                })  # fmt: skip
    return found


def _holders(operations: frozenset[str], side: Side) -> list[Unit]:
    one = next(iter(operations))
    return [unit for unit in side.units if one in unit.operations]


def _types_changed(new: Side, old: Side) -> list[TypeChange]:
    found: list[TypeChange] = []
    for name, unit in new.by_operation.items():
        before = old.by_operation.get(name)
        if before is not None and unit.types and before.types and unit.types != before.types:
            kind = (unit if computes(before.row) else before).row["kind"]  # a convolution's is one on both sides
            found.append({"scope": before.row["scope"], "operation": name, "kind": kind,
                          "new": unit.types, "old": before.types})  # fmt: skip
    order = {row["name"]: row["index"] for row in old.rows}
    return sorted(found, key=lambda one: (order[old.by_operation[one["operation"]].row["name"]], one["operation"]))


def _scope(
    name: str, new: Side, old: Side, changes: Mapping[tuple[str, str], int], retyped: Mapping[str, int]
) -> ScopeChange:
    a, b = new.by_scope.get(name, []), old.by_scope.get(name, [])
    return {
        "scope": name, "layers": pair(len(a), len(b)), "bytes": pair(new.bytes(a), old.bytes(b)),
        "macs": pair(new.macs(a), old.macs(b)), "appeared": changes[name, "appeared"],
        "vanished": changes[name, "vanished"], "types": retyped[name],
    }  # fmt: skip


def _differs(one: ScopeChange) -> bool:
    pairs = (one["layers"], one["bytes"], one["macs"])
    stated = [p for p in pairs if p["new"] is not None and p["old"] is not None]
    return any(p["new"] != p["old"] for p in stated) or bool(one["appeared"] or one["vanished"] or one["types"])


def _moved(one: ScopeChange) -> float:
    return abs((one["bytes"]["new"] or 0) - (one["bytes"]["old"] or 0))


def _root(scopes: Sequence[str]) -> str:
    """What all scopes begin with, in whole names, other than the scope that is empty."""
    paths = [scope.split("/") for scope in scopes if scope]
    common: list[str] = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return "/".join(common)


def _totals(new: Side, old: Side, estimates: Estimates) -> EngineTotals:
    def memory(name: str) -> Pair:
        return pair(new.compiled["memory"].get(name), old.compiled["memory"].get(name))

    same_weights = new.compiled["constants_told"] == old.compiled["constants_told"]
    us = [None if one is None else one["total_us"] for one in estimates]
    return {
        "layers": pair(len(new.rows), len(old.rows)),
        "bytes": pair(new.bytes(new.rows), old.bytes(old.rows)),
        "macs": pair(new.macs(new.rows), old.macs(old.rows)),
        "plan_bytes": pair(new.compiled["plan_bytes"], old.compiled["plan_bytes"]),
        "weights_bytes": memory("weights"), "activation_bytes": memory("activation"),
        "scratch_bytes": memory("scratch"),
        "estimate_us": pair(us[0], us[1], comparable=same_weights and _same_device(estimates)),
    }  # fmt: skip


def _same_device(estimates: Estimates) -> bool:
    return len({one["device"]["name"] for one in estimates if one is not None}) == 1


def _notes(new: Side, old: Side) -> list[str]:
    notes = []
    engines: Mapping[str, Side] = dict(zip(_SIDES, (new, old), strict=True))
    silent = [name for name, side in engines.items() if not side.compiled["constants_told"]]
    if silent:
        whose = "neither engine's record" if len(silent) == 2 else f"the record of the {silent[0]} engine"
        verb = "lists" if len(silent) == 2 else "does not list"
        notes.append(f"{whose} {verb} weights: bytes are those of activations alone, on both sides")
    if new.unknown or old.unknown:
        notes.append(f"the bytes of {old.unknown} old and {new.unknown} new layers are not stated, so there is no sum")
    counted = {name: side.compiled["dynamic_counts_as"] for name, side in engines.items()}
    if counted["new"] != counted["old"]:
        said = ", ".join(f"{count or 'unknown or fixed'} in the {name} engine" for name, count in counted.items())
        notes.append(f"dynamic dimensions: {said}; bytes and work may be of two batch sizes")
    return notes


def _estimate_notes(estimates: Estimates, new: Side, old: Side) -> list[str]:
    names = [one["device"]["name"] for one in estimates if one is not None]
    if len(set(names)) > 1:
        return [f"the estimates are for two devices ({' and '.join(names)})"]
    if len(names) == 2 and new.compiled["constants_told"] != old.compiled["constants_told"]:
        return ["the estimates count the weights that each record lists, so they are not compared"]
    return []
