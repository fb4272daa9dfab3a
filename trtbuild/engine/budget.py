"""Thresholds on the compiled engine: the size of its plan, its activation memory, the bytes that it moves.

What the record does not tell is not judged, with the reason; an MB is 10^6 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from trtbuild.core.spec.validation import BytesMoved, EngineBudget
from trtbuild.documents.verdict import Check, NotJudged
from trtbuild.engine.values import Engine
from trtbuild.engine.work import work

MB = 1_000_000


@dataclass(frozen=True)
class Moved:
    """Bytes that an engine moves in one inference; ``why`` they are not known."""

    bytes: int | None
    why: str = ""


def engine_checks(
    budget: EngineBudget, plan_bytes: int, engine: Engine | None, other: Engine | None
) -> tuple[dict[str, Check], dict[str, NotJudged]]:
    """Checks, and limits that could not be judged.

    Args:
        engine: None where the record of its layers was not understood; other: the one that it is compared with.
    """
    checks: dict[str, Check] = {}
    not_judged: dict[str, NotJudged] = {}
    if budget.plan_mb is not None:
        checks["engine: max_plan_mb"] = _check(plan_bytes / MB, budget.plan_mb)
    if budget.activation_mb is not None:
        held = None if engine is None else engine.memory.activation
        if held is None:
            why = "TensorRT's log does not state the engine's activation memory"
            not_judged["engine: max_activation_mb"] = {"limit": budget.activation_mb, "why": why}
        else:
            checks["engine: max_activation_mb"] = _check(held / MB, budget.activation_mb)
    if budget.moved is not None:
        name = f"engine: max_bytes_moved_vs {budget.moved.precision}"
        found = _compared(budget.moved, engine, other)
        if isinstance(found, str):
            not_judged[name] = {"limit": budget.moved.factor, "why": found}
        else:
            checks[name] = found
    return checks, not_judged


def moved(engine: Engine | None) -> Moved:
    """Of all its layers together, or why that is not known."""
    if engine is None or not engine.detailed:
        return Moved(None, "the record of its layers was not understood")
    if not any(layer.constants is not None or layer.weights is not None for layer in engine.layers):
        return Moved(None, "this TensorRT does not list weights, so the bytes of layers are of activations alone")
    sizes = [work(layer, engine.optimum).bytes for layer in engine.layers]
    unknown = sum(size is None for size in sizes)
    if unknown:
        return Moved(None, f"the bytes of {unknown} of its {len(sizes)} layers are not known")
    if engine.unread:
        return Moved(None, f"{len(engine.unread)} entries of its record were not understood")
    return Moved(sum(size or 0 for size in sizes))


def _compared(bound: BytesMoved, engine: Engine | None, other: Engine | None) -> Check | str:
    here, there = moved(engine), moved(other)
    if here.bytes is None:
        return here.why
    if not there.bytes:
        return f"{bound.precision}: {there.why or 'its engine moves nothing'}"
    check = _check(here.bytes / there.bytes, bound.factor)
    check["says"] = f"{here.bytes / MB:.3f} MB against {there.bytes / MB:.3f} MB of {bound.precision}"
    return check


def _check(observed: float, limit: float) -> Check:
    return {"observed": observed, "limit": limit, "passed": observed <= limit, "share_of_limit": observed / limit}
