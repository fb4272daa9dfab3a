"""An inspected engine for a terminal: totals and findings first, then the layers that move most."""

from __future__ import annotations

from collections.abc import Sequence

from trtbuild.engine.inspection import Inspection, Row, Total
from trtbuild.engine.values import Memory, Tensor

SHOWN = 15  # layers and scopes; --all shows every one
_NAMED = 3  # layers of a finding


def lines(inspection: Inspection, shown: int | None = SHOWN) -> list[str]:
    """The lines to print; ``shown``: how many layers and scopes, None for all."""
    found = [f"engine: {inspection.engine.source}", *_totals(inspection), *_findings(inspection), ""]
    found += _table("by kind", inspection.by_kind(), None)
    found += _table("by scope", inspection.by_scope(), shown)
    found += _layers(inspection, shown)
    if inspection.engine.unread:
        found += ["", f"not understood: {len(inspection.engine.unread)}"]
        found += [
            f"  {f'line {one.line}: ' if one.line else ''}{one.why}: {one.text[:100]}"
            for one in inspection.engine.unread[:shown]
        ]
    return found


def size(count: int | None) -> str:
    """Bytes for people; "?" where they are not known.

    >>> size(1_234_567), size(999), size(None)
    ('1.235 MB', '999 B', '?')
    """
    if count is None:
        return "?"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3f} {unit}"
    return f"{count} B"


def _totals(inspection: Inspection) -> list[str]:
    total, engine = inspection.total, inspection.engine
    lines = [f"{total.layers} layers, {size(total.bytes)} moved, {total.macs / 1e6:,.1f} million multiply-accumulates"]
    if not engine.detailed:
        lines = [f"{total.layers} layers; the record has their names alone: build with profiling verbosity 'detailed'"]
    if engine.profiles > 1:
        lines.append(f"  {engine.profiles} optimisation profiles: layers and bytes are those of the first")
    if total.unknown:
        lines.append(f"  the bytes of {total.unknown} layer(s) are not known and not in the sum")
    if uncounted := sum(row.work.macs is None for row in inspection.rows):
        lines.append(f"  the multiply-accumulates of {uncounted} layer(s) are not known and not in the sum")
    if engine.detailed and not inspection.constants_told:
        lines.append("  this version lists no weights: bytes cover activations alone")
    if engine.dynamic:
        counted = f"count as {engine.optimum}" if engine.optimum else "are not known: give --batch"
        lines.append(f"  dynamic dimensions {counted}")
    for side, kinds in inspection.compute_types().items():
        lines.append(
            f"  {side} of convolutions and products: " + ", ".join(f"{k or '?'} {v:.1%}" for k, v in kinds.items())
        )
    memory = _memory(engine.memory)
    lines += [f"  memory at the profile's maximum: {memory}"] if memory else []
    return [*lines, *([f"  plan: {size(inspection.plan_bytes)}"] if inspection.plan_bytes else [])]


def _memory(memory: Memory) -> str:
    known = {name: getattr(memory, name) for name in ("activation", "weights", "scratch", "device_persistent")}
    return ", ".join(f"{name.replace('_', ' ')} {size(value)}" for name, value in known.items() if value is not None)


def _findings(inspection: Inspection) -> list[str]:
    lines = []
    for one in inspection.findings:
        cost = f" ({size(one.cost_bytes)})" if one.cost_bytes is not None else ""
        lines.append(f"finding: {one.what}{cost}")
        if one.layers:
            more = f" and {len(one.layers) - _NAMED} more" if len(one.layers) > _NAMED else ""
            lines.append(f"    {', '.join(_short(name, 60) for name in one.layers[:_NAMED])}{more}")
        lines.append(f"    {one.advice}")
    return lines


def _table(title: str, groups: dict[str, Total], shown: int | None) -> list[str]:
    rows = list(groups.items())
    lines = [f"{title:<44} {'layers':>7} {'moved':>12} {'M macs':>10}"]
    lines += [
        f"  {_short(key or '(none)', 42):<42} {t.layers:>7} {size(t.bytes):>12} {t.macs / 1e6:>10,.1f}"
        for key, t in rows[:shown]
    ]
    if shown is not None and len(rows) > shown:
        lines.append(f"  and {len(rows) - shown} more")
    return [*lines, ""]


def _layers(inspection: Inspection, shown: int | None) -> list[str]:
    rows: Sequence[Row] = inspection.rows
    count = len(rows)
    if shown is not None and len(rows) > shown:
        rows = sorted(rows, key=lambda row: -(row.work.bytes or 0))[:shown]
    title = "layers" if len(rows) == count else f"layers that move most ({len(rows)} of {count})"
    lines = [f"{title:<44} {'kind':<14} {'types':<22} {'moved':>11}  operations"]
    for row in rows:
        types = (
            f"{_types(row.layer.inputs)} > {_types(row.layer.outputs)}" if row.layer.inputs or row.layer.outputs else ""
        )
        operations = ", ".join(row.place.operations[:2]) or row.place.scope
        moved = size(row.work.bytes)
        lines.append(
            f"  {_short(row.layer.name, 42):<42} {row.layer.kind:<14} {types:<22} {moved:>11}  {_short(operations, 70)}"
        )
    return lines


def _types(tensors: Sequence[Tensor]) -> str:
    return "+".join(dict.fromkeys(tensor.type or "?" for tensor in tensors)) or "-"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[-(width - 1) :]}"
