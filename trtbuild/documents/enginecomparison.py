"""The comparison of two compiled engines: totals, TensorFlow scopes, fusions and types."""

from __future__ import annotations

from typing import Literal, TypedDict


class Pair(TypedDict):
    """A number on both sides; ``ratio`` is new / old, above 1 means more, and None where it has no meaning."""

    new: float | None
    old: float | None
    ratio: float | None


class EngineTotals(TypedDict):
    """Memory is at the profile's maximum; a number that a side does not state is None."""

    layers: Pair
    bytes: Pair
    macs: Pair
    plan_bytes: Pair
    weights_bytes: Pair
    activation_bytes: Pair
    scratch_bytes: Pair
    estimate_us: Pair


class ScopeChange(TypedDict):
    """One TensorFlow scope; ``types`` is the number of operations that read or write other types."""

    scope: str
    layers: Pair
    bytes: Pair
    macs: Pair
    appeared: int
    vanished: int
    types: int


class FusionChange(TypedDict):
    """Operations that one layer of one engine computes together, and no layer of the other one."""

    change: Literal["appeared", "vanished"]
    scope: str
    layer: str
    operations: list[str]


class TypeChange(TypedDict):
    """One operation, with the types that its layer reads and writes: "int8 > float32".

    ``kind`` is its layer's; where only one side computes it in a convolution or product, the kind of the other side.
    """

    scope: str
    operation: str
    kind: str
    new: str
    old: str


class EngineComparison(TypedDict):
    """Two engines; ``why`` says why they were not compared, otherwise it is empty.

    ``notes``: how far the numbers can be compared.  ``root``: what all scopes begin with.  ``kinds``: layers by kind.
    ``scopes``: those that differ, the largest difference in bytes first; ``same_scopes``: how many others there are.
    ``layers_changed``: whether any layer's operations, kind or types differ.
    """

    why: str
    notes: list[str]
    layers_changed: bool
    totals: EngineTotals | None
    kinds: dict[str, Pair]
    root: str
    scopes: list[ScopeChange]
    same_scopes: int
    fusions: list[FusionChange]
    types: list[TypeChange]


class SweepCompiled(TypedDict):
    """What a variant's engine does; None where its record does not state it.

    ``activations_moved_bytes`` leaves out weights, which some versions do not list; ``moved_bytes`` is then None.
    """

    layers: int
    moved_bytes: int | None
    activations_moved_bytes: int | None
    activation_bytes: int | None
    weights_bytes: int | None
    estimate_us: float | None
    device: str | None


class EngineDifference(TypedDict):
    """A variant's engine against another one of the same model; ``says`` is empty if they do the same.

    ``scopes``: those that differ most, ``other_scopes``: how many more do; ``trtbuild diff`` shows all.
    """

    id: str
    against: str
    model: str
    label: str
    axis: Literal["tensorrt", "precision"]
    old: str
    new: str
    why: str
    notes: list[str]
    says: list[str]
    scopes: list[ScopeChange]
    other_scopes: int


class SweepEngines(TypedDict):
    """``lead``: no engine was executed, so engines are what differs between versions."""

    lead: bool
    differences: list[EngineDifference]
