"""One engine of a comparison: its layers with the operations that each computes, by operation and by scope.

A kernel that only scales a convolution's result also lists the convolution.  An operation that a convolution or product
computes is therefore counted there alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from trtbuild.documents.compiled import CompiledEngine, EngineTensor, ReportedEngineLayer
from trtbuild.engine import dialect
from trtbuild.engine.values import COMPUTE, Tensor

_WITHOUT_AUTHOR = ("control", "shape", "nothing", "constant")


@dataclass(frozen=True)
class Unit:
    """A layer and the operations that it computes."""

    row: ReportedEngineLayer
    operations: frozenset[str]

    @cached_property
    def types(self) -> str:
        """The types that the layer reads and writes: "int8 > float32"; "" where one is unknown."""
        sides = [_types(self.row["inputs"]), _types(self.row["outputs"])]
        return " > ".join(sides) if all(sides) else ""


class Side:
    """One engine: its layers as units, and their numbers."""

    def __init__(self, compiled: CompiledEngine, *, weights: bool = True) -> None:
        self.compiled, self._weights = compiled, weights
        self.rows = compiled["rows"]

    @cached_property
    def units(self) -> list[Unit]:
        computed = {name for row in self.rows if computes(row) for name in row["own_operations"]}
        return [
            Unit(row, frozenset(row["own_operations"]) - (frozenset() if computes(row) else computed))
            for row in self.rows
            if row["kind"] not in _WITHOUT_AUTHOR
        ]

    @cached_property
    def by_operation(self) -> dict[str, Unit]:
        found: dict[str, Unit] = {}
        for unit in sorted(self.units, key=lambda unit: not computes(unit.row)):
            for name in unit.operations:
                found.setdefault(name, unit)
        return found

    @cached_property
    def by_scope(self) -> dict[str, list[ReportedEngineLayer]]:
        groups: dict[str, list[ReportedEngineLayer]] = {}
        for row in self.rows:
            if row["kind"] not in _WITHOUT_AUTHOR or row["scope"]:
                groups.setdefault(row["scope"], []).append(row)
        return groups

    def layers(self, scope: str = "") -> Counter[tuple[str, tuple[str, ...], str]]:
        """The layers inside a scope ("" for all): kind, operations and types of each, without what versions name."""
        return Counter(
            (unit.row["kind"], tuple(sorted(unit.operations)), unit.types)
            for unit in self.units
            if inside(unit.row["scope"], scope)
        )

    @property
    def unknown(self) -> int:
        return sum(self._bytes(row) is None for row in self.rows)

    def bytes(self, rows: Sequence[ReportedEngineLayer]) -> int | None:
        """None where the bytes of any of these layers are not stated."""
        sizes = [self._bytes(row) for row in rows]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def macs(self, rows: Sequence[ReportedEngineLayer]) -> int | None:
        """None where the work of any of these layers is not stated."""
        known = [row["macs"] for row in rows]
        return None if None in known else sum(count or 0 for count in known)

    def _bytes(self, row: ReportedEngineLayer) -> int | None:
        if self._weights:
            return row["bytes"]
        dynamic = self.compiled["dynamic_counts_as"]
        tensors = [Tensor("", tuple(t["shape"]), t["type"]) for t in (*row["inputs"], *row["outputs"])]
        sizes = [tensor.bytes(dynamic) for tensor in tensors]
        return None if None in sizes else sum(size or 0 for size in sizes)


def layers_of(engine: CompiledEngine, scope: str = "") -> Counter[tuple[str, tuple[str, ...], str]]:
    """The layers of one engine inside a scope, as :meth:`Side.layers` gives them."""
    return Side(engine).layers(scope)


def within(engine: CompiledEngine, scope: str) -> CompiledEngine:
    """The part of an engine inside a scope; memory and plan are the whole engine's, so that part has none."""
    if not scope:
        return engine
    rows = [row for row in engine["rows"] if inside(row["scope"], scope)]
    return {**engine, "rows": rows, "memory": {}, "plan_bytes": None}


def inside(scope: str, parent: str) -> bool:
    """Whether a scope is another one or lies in it; every scope lies in "".

    >>> inside("encoder/stem", "encoder"), inside("encoder2", "encoder"), inside("decoder", "")
    (True, False, True)
    """
    return not parent or scope == parent or scope.startswith(f"{parent}/")


def computes(row: ReportedEngineLayer) -> bool:
    """Whether a layer is a convolution or product, also one that a version writes as a generated kernel."""
    return row["kind"] in COMPUTE or dialect.multiplies_and_sums(row["name"])


def _types(tensors: Sequence[EngineTensor]) -> str:
    found = sorted({tensor["type"] for tensor in tensors})
    return "" if "" in found else "+".join(found)
