"""A lower bound of each engine layer's time on a device that is not at hand: a roofline, and labelled an estimate.

A layer takes at least as long as its bytes need at the memory's full bandwidth, and as its multiply-accumulates need at
the peak of their type (Williams, Waterman, Patterson: Roofline, CACM 52/4, 2009); a launch comes on top.  Caches that
keep a tensor between layers are ignored, so a small network on a large cache can be faster than its bytes suggest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtbuild.core.spec.device import Device
from trtbuild.documents.estimate import Bounded, DeviceNumbers, Estimate, LayerEstimate
from trtbuild.engine.inspection import Inspection, Row
from trtbuild.engine.values import EngineLayer, Kind
from trtbuild.engine.work import Work

_COST_NOTHING: tuple[Kind, ...] = ("control", "shape", "nothing", "constant")


@dataclass(frozen=True)
class Bound:
    """Microseconds; ``arithmetic_us`` is None where the layer's work, or the device's peak of its type, is unknown."""

    us: float
    limit: Bounded
    memory_us: float | None
    arithmetic_us: float | None


def roofline(work: Work, type: str, device: Device) -> Bound:
    """The bound of work with operands of ``type``; unknown work counts as none, which keeps this a lower bound.

    >>> l4 = Device("L4", "8.9", bandwidth_gb_s=300.0, peak_tops={"float16": 120.0}, launch_us=2.0)
    >>> roofline(Work(read=2_000_000, written=1_000_000, constants=0, macs=60_000_000), "float16", l4)
    Bound(us=12.0, limit='memory', memory_us=10.0, arithmetic_us=1.0)
    """
    memory_us = None if work.bytes is None else work.bytes / device.bandwidth_gb_s / 1e3
    peak = device.peak_tops.get(type)
    arithmetic_us: float | None = 0.0
    if work.macs != 0:
        arithmetic_us = None if work.macs is None or peak is None else 2 * work.macs / peak / 1e6
    slowest = max(memory_us or 0.0, arithmetic_us or 0.0)
    limit: Bounded = "launch"
    if slowest > device.launch_us:
        limit = "memory" if slowest == memory_us else "arithmetic"
    return Bound(slowest + device.launch_us, limit, memory_us, arithmetic_us)


def bound(row: Row, device: Device, *, tf32: bool = False) -> Bound:
    """The bound of one layer; ``tf32``: its float32 products may run in TF32."""
    if row.layer.kind in _COST_NOTHING:
        return Bound(0.0, "nothing", 0.0, 0.0)
    return roofline(row.work, operand_type(row.layer, tf32=tf32), device)


def operand_type(layer: EngineLayer, *, tf32: bool = False) -> str:
    """The type of the largest input, which decides which units multiply; "" where it is unknown."""
    largest = max(layer.inputs, key=lambda tensor: tensor.elements(1) or 0, default=None)
    type = "" if largest is None else largest.type
    return "tf32" if tf32 and type == "float32" else type


SAYS = "an estimate: a lower bound from shapes and data sheets, not measured"


def document(engine: Inspection, device: Device, notes: Sequence[str], *, tf32: bool = False) -> Estimate:
    """The estimate of all layers in execution order.

    Args:
        notes: limits of this estimate, besides what could not be counted.
    """
    layers = [_layer(row, device, tf32) for row in engine.rows]
    by_limit: dict[str, float] = {}
    for layer in layers:
        by_limit[layer["limit"]] = by_limit.get(layer["limit"], 0.0) + layer["us"]
    return {
        "schema_version": 1, "says": SAYS, "device": _numbers(device),
        "notes": [*notes, *_gaps(engine, layers, device)],
        "total_us": sum(layer["us"] for layer in layers), "by_limit_us": by_limit, "layers": layers,
    }  # fmt: skip


def _numbers(device: Device) -> DeviceNumbers:
    return {
        "name": device.name or "", "compute_capability": device.compute_capability,
        "bandwidth_gb_s": device.bandwidth_gb_s, "peak_tops": dict(device.peak_tops),
        "launch_us": device.launch_us, "sources": dict(device.sources),
    }  # fmt: skip


def _layer(row: Row, device: Device, tf32: bool) -> LayerEstimate:
    bounds = bound(row, device, tf32=tf32)
    return {
        "name": row.layer.name, "operation": row.place.operations[0] if row.place.operations else "",
        "kind": row.layer.kind, "type": operand_type(row.layer, tf32=tf32),
        "us": bounds.us, "limit": bounds.limit, "memory_us": bounds.memory_us, "arithmetic_us": bounds.arithmetic_us,
    }  # fmt: skip


def _gaps(engine: Inspection, layers: Sequence[LayerEstimate], device: Device) -> list[str]:
    """What could not be counted, which makes the bound lower than it need be."""
    notes, optimum = [], engine.engine.optimum
    if not engine.constants_told:
        notes.append("this TensorRT does not list weights: bytes are those of activations alone")
    types = {layer["type"] for layer in layers if layer["arithmetic_us"] is None}
    if lacking := sorted(types - set(device.peak_tops) - {""}):
        fact = f"no peak of {device.name} in {', '.join(lacking)} is published"
        notes.append(f"{fact}: those layers count by bytes alone")
    if bare := sum(not row.layer.tensors and row.layer.kind not in _COST_NOTHING for row in engine.rows):
        fact = f"of {bare} of {len(layers)} layers TensorRT states only the name"
        notes.append(f"{fact}: they count by their launch alone")
    if blind := sum(layer["memory_us"] is None for layer in layers):
        fact = f"of {blind} of {len(layers)} layers TensorRT does not state all bytes"
        notes.append(f"{fact}: they count by arithmetic alone")
    if engine.engine.dynamic and optimum is None:
        notes.append("dynamic dimensions have no single size at the profile's opt, so layers with them count less")
    elif engine.engine.dynamic:
        notes.append(f"dynamic dimensions count as {optimum}, the profile's opt")
    return notes
