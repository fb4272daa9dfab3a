"""The comparison of two compiled engines for people: phrases, the most important first, and rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from trtbuild.documents.compiled import CompiledEngine
from trtbuild.documents.enginecomparison import (
    EngineComparison,
    EngineTotals,
    FusionChange,
    Pair,
    ScopeChange,
    SweepCompiled,
)
from trtbuild.documents.report import Report
from trtbuild.engine.comparison import compare_engines, group
from trtbuild.engine.text import size
from trtbuild.engine.units import Side, layers_of, within
from trtbuild.engine.values import COMPUTE

MOVED = 1.05  # bytes, memory and estimates that change by a twentieth are worth a phrase
SCOPES_NAMED = 4
LAYERS_SHOWN = 5  # of one engine
NO_SCOPE = "(no scope)"
# Keys of the totals, as a table names them.
TOTALS: Mapping[str, str] = {
    "layers": "engine layers", "bytes": "bytes moved", "macs": "multiply-accumulates", "plan_bytes": "plan",
    "weights_bytes": "weights", "activation_bytes": "activation memory", "scratch_bytes": "scratch memory",
    "estimate_us": "ESTIMATE (µs)",
}  # fmt: skip
Row = tuple[str, str, str, str]


def engine_changes(found: EngineComparison) -> list[str]:
    """What differs between two compiled engines, a phrase each; empty if they do the same."""
    totals = found["totals"]
    if totals is None:
        return []
    phrases = _amounts(totals, ("bytes",))
    phrases += _layers(found, totals["layers"])
    phrases += [_fusions(found, change) for change in ("vanished", "appeared") if _of(found, change)]
    phrases += _types(found)
    return phrases + _amounts(totals, ("activation_bytes", "weights_bytes", "estimate_us"))


def layer_changes(new: CompiledEngine, old: CompiledEngine, scope: str = "") -> list[str]:
    """What differs in the layers inside a scope ("" for all): phrases, then layers that only one engine has."""
    a, b = within(new, scope), within(old, scope)
    phrases = engine_changes(compare_engines(a, b))
    for who, layers in (("before", layers_of(b) - layers_of(a)), ("now", layers_of(a) - layers_of(b))):
        shown = sorted(layers.elements())
        phrases += [f"{who}: {_layer(*one)}" for one in shown[:LAYERS_SHOWN]]
        phrases += [f"{who}: {len(shown) - LAYERS_SHOWN} more layers"] if len(shown) > LAYERS_SHOWN else []
    return phrases


def _layer(kind: str, operations: tuple[str, ...], types: str) -> str:
    return f"{kind} of {', '.join(operations) or 'no operation of its own'}{f' ({types})' if types else ''}"


def grew(found: EngineComparison, factor: float = MOVED) -> bool:
    """Whether the new engine moves more bytes, by more than ``factor``."""
    ratio = found["totals"]["bytes"]["ratio"] if found["totals"] else None
    return ratio is not None and ratio > factor


def total_rows(found: EngineComparison) -> list[Row]:
    """Name, old, new and change of every total that a side states."""
    if found["totals"] is None:
        return []
    totals: Mapping[str, Pair] = {key: found["totals"][key] for key in found["totals"]}  # type: ignore[literal-required]
    stated = {key: p for key, p in totals.items() if p["new"] is not None or p["old"] is not None}
    rows = [(TOTALS[key], amount(key, p["old"]), amount(key, p["new"]), times(p)) for key, p in stated.items()]
    kinds = [(f"  {kind}", f"{p['old']:.0f}", f"{p['new']:.0f}", _difference(p))
             for kind, p in found["kinds"].items() if p["new"] != p["old"]]  # fmt: skip
    return [*rows[:1], *kinds, *rows[1:]]


def scope_rows(found: EngineComparison, most: int | None = None) -> Iterable[Row]:
    """Old and new layers and bytes of the scopes that differ, with their fusions and types."""
    for one in islice(found["scopes"], most):
        old, new = (_layers_and_bytes(one["layers"][side], one["bytes"][side]) for side in ("old", "new"))
        said = [times(one["bytes"]) if one["layers"]["new"] and one["layers"]["old"] else ""]
        said.append(f"fusions {fusions_of(one)}" if fusions_of(one) else "")
        said.append(f"types {one['types']}" if one["types"] else "")
        yield one["scope"] or NO_SCOPE, old, new, "; ".join(filter(None, said))


def fusions_of(one: ScopeChange) -> str:
    """The fusions of a scope that vanished and appeared: "-1 +2"; empty if there are none."""
    return " ".join(f"{sign}{one[change]}" for sign, change in (("-", "vanished"), ("+", "appeared")) if one[change])  # type: ignore[literal-required]


def _layers_and_bytes(layers: float | None, moved: float | None) -> str:
    return f"{layers:.0f} layer{'' if layers == 1 else 's'}, {amount('bytes', moved)}" if layers else "–"


def engine_numbers(report: Report) -> SweepCompiled | None:
    """The numbers of a report's engine; None where its layers are not recorded."""
    compiled, estimate = report.get("compiled"), report.get("estimate")
    if compiled is None or not compiled["understood"]:
        return None
    memory = compiled["memory"]
    return {
        "layers": len(compiled["rows"]),
        "moved_bytes": Side(compiled).bytes(compiled["rows"]) if compiled["constants_told"] else None,
        "activations_moved_bytes": Side(compiled, weights=False).bytes(compiled["rows"]),
        "activation_bytes": memory.get("activation"), "weights_bytes": memory.get("weights"),
        "estimate_us": estimate["total_us"] if estimate else None,
        "device": estimate["device"]["name"] if estimate else None,
    }  # fmt: skip


def amount(key: str, value: float | None) -> str:
    """A total for people, in the unit of its key."""
    if value is None:
        return "not stated"
    if key.endswith("bytes"):
        return size(int(value))
    return f"{value:,.4g}" if key == "estimate_us" else f"{value:,.0f}"


def times(p: Pair) -> str:
    if p["new"] is not None and p["new"] == p["old"]:
        return "same"
    return "–" if p["ratio"] is None else f"{p['ratio']:.3g} times"


def _amounts(totals: EngineTotals, keys: Sequence[str]) -> list[str]:
    phrases = []
    for key in keys:
        p: Pair = totals[key]  # type: ignore[literal-required]
        if p["ratio"] is not None and not 1 / MOVED <= p["ratio"] <= MOVED:
            phrases.append(f"{TOTALS[key]} {amount(key, p['old'])} → {amount(key, p['new'])} ({times(p)})")
    return phrases


def _of(found: EngineComparison, change: str) -> list[FusionChange]:
    return [one for one in found["fusions"] if one["change"] == change]


def _fusions(found: EngineComparison, change: str) -> str:
    those = _of(found, change)
    scopes = Counter(group(one["scope"], found["root"]) or NO_SCOPE for one in those)
    head = f"{len(those)} fusion{'' if len(those) == 1 else 's'} {change}"
    if len(scopes) == 1:
        return f"{head} in scope {next(iter(scopes))}"
    if len(scopes) > SCOPES_NAMED:
        return f"{head} in {len(scopes)} scopes"
    return f"{head} ({', '.join(f'{count} in {name}' for name, count in scopes.most_common())})"


def _layers(found: EngineComparison, layers: Pair) -> list[str]:
    """The number of layers, with the scopes if there are few."""
    if layers["new"] == layers["old"]:
        return []
    others = [one for one in found["scopes"] if one["layers"]["new"] != one["layers"]["old"]]
    named = ", ".join(f"{one['scope'] or NO_SCOPE} {one['layers']['old']} → {one['layers']['new']}" for one in others)
    where = f" ({named})" if 0 < len(others) <= SCOPES_NAMED else ""
    return [f"engine layers {layers['old']} → {layers['new']}{where}"]


def _types(found: EngineComparison) -> list[str]:
    """The most common change of types, of convolutions and products where these changed."""
    computing = [one for one in found["types"] if one["kind"] in COMPUTE]
    those = computing or found["types"]
    if not those:
        return []
    what = "convolutions and products" if computing else "operations"
    (old, new), count = Counter((one["old"], one["new"]) for one in those).most_common(1)[0]
    rest = len(found["types"]) - count
    other = f", and of {rest} other operations" if rest else ""
    return [f"types of {count} {what}: {old} → {new}{other}"]


def _difference(p: Pair) -> str:
    return f"{(p['new'] or 0) - (p['old'] or 0):+.0f}"
