"""The compiled engine in ``report.json``: its layers with scope and cost, totals, memory and findings."""

from __future__ import annotations

from typing import Annotated, TypedDict

from trtbuild.documents.schema import LATER


class EngineTotal(TypedDict):
    """Totals of a group of layers; ``bytes`` leaves out the ``unknown`` layers, whose bytes are not known."""

    layers: int
    bytes: int
    macs: int
    unknown: int


class EngineFinding(TypedDict):
    """A finding; ``rows`` are indices of layers."""

    kind: str
    what: str
    cost_bytes: int | None
    advice: str
    rows: list[int]


class UnreadEntry(TypedDict):
    """Text that was not understood, with its line in the log; 0 where the source has no lines."""

    line: int
    text: str
    why: str


class EngineTensor(TypedDict):
    """A tensor; -1 is a dynamic dimension, and an unknown type or layout is empty."""

    type: str
    shape: list[int]
    layout: str


class ReportedEngineLayer(TypedDict):
    """One layer, in execution order; null where the engine's record does not say.

    ``own_operations``: those with a node in this layer, rather than only one that lowering added to their result.
    """

    index: int
    name: str
    kind: str
    type: str
    scope: str
    operations: list[str]
    own_operations: Annotated[list[str], LATER]
    placed_by: str
    bytes: int | None
    macs: int | None
    inputs: list[EngineTensor]
    outputs: list[EngineTensor]


class _CompiledEngine(TypedDict):
    understood: bool
    unread: list[UnreadEntry]
    memory: dict[str, int | None]


class CompiledEngine(_CompiledEngine, total=False):
    """The compiled engine; only ``unread`` and ``memory`` are present where the record was not ``understood``.

    ``fp16_instead``: why fp16 may be the better engine than this one in int8; "" where nothing recorded says so.
    """

    schema: int
    source: str
    dynamic_counts_as: int | None
    constants_told: bool
    total: EngineTotal
    plan_bytes: int | None
    by_kind: dict[str, EngineTotal]
    by_scope: dict[str, EngineTotal]
    bytes_by_type: dict[str, int]
    compute: dict[str, dict[str, float]]
    findings: list[EngineFinding]
    fp16_instead: str
    rows: list[ReportedEngineLayer]
