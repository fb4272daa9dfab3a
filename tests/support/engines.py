"""Compiled engines as report.json has them, made of a few layers, for tests of their comparison."""

from __future__ import annotations

from typing import Any

UNIT = 1000  # elements of every tensor
MEMORY = {"activation": 4_000_000, "weights": 1_000_000, "scratch": 0}


def layer(
    *operations: str, kind: str = "convolution", reads: str = "float16", writes: str = "float16",
    bytes: int | None = 4000, own: tuple[str, ...] | None = None, **changed: Any,
) -> dict[str, Any]:  # fmt: skip
    """A layer of these operations; its scope is that of the first."""
    sides = {side: [{"type": type, "shape": [1, UNIT], "layout": ""}] if type else []
             for side, type in (("inputs", reads), ("outputs", writes))}  # fmt: skip
    computes = kind in ("convolution", "product")
    scope = operations[0].rpartition("/")[0] if operations else ""
    return {"name": "+".join(operations) or kind, "kind": kind, "type": "", "scope": scope,
            "operations": list(operations), "own_operations": list(operations if own is None else own),
            "placed_by": "scopes", "bytes": bytes, "macs": 10 * UNIT if computes else 0, **sides,
            **changed}  # fmt: skip


def engine(*layers: dict[str, Any], **changed: Any) -> dict[str, Any]:
    rows = [{"index": i, **row} for i, row in enumerate(layers)]
    total = {"layers": len(rows), "bytes": sum(row["bytes"] or 0 for row in rows), "macs": 0, "unknown": 0}
    return {"understood": True, "unread": [], "memory": MEMORY, "schema": 1, "source": "build.log",
            "dynamic_counts_as": None, "constants_told": True, "total": total, "plan_bytes": 2_000_000, "by_kind": {},
            "by_scope": {}, "bytes_by_type": {}, "compute": {}, "findings": [], "rows": rows, **changed}  # fmt: skip


def float_engine(**changed: Any) -> dict[str, Any]:
    """Two convolutions, each with its activation, and a sum."""
    return engine(
        layer("net/a/conv", "net/a/relu"), layer("net/b/conv", "net/b/relu"), layer("net/add", kind="pointwise"),
        **changed,
    )  # fmt: skip


def int8_engine(**changed: Any) -> dict[str, Any]:
    """The same: each activation in a kernel of its own, which also lists the convolution whose result it scales."""
    wide = {"reads": "int8", "writes": "float32", "bytes": 5000}
    narrow = {"kind": "pointwise", "reads": "float32", "writes": "int8", "bytes": 5000}
    return engine(
        layer("net/a/conv", **wide), layer("net/a/conv", "net/a/relu", **narrow),
        layer("net/b/conv", "net/a/relu", own=("net/b/conv",), **wide),
        layer("net/b/conv", "net/b/relu", "net/add", **narrow),
        **changed,
    )  # fmt: skip
