"""Useless pairs of quantisation in small graphs: whether each is found, and its cost beside the graph without it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import say
from trtbuild.engine.inspection import inspect

NAMING = ("useless_pair", "idle_pair")


def measure(scratch: Path) -> None:
    """A finding's cost against the bytes that the engine moves more than its twin."""
    from tests.support.compiled import engines
    from tests.support.pairs import GRAPHS, network

    models = {(name, planted): network(name, planted=planted) for name in GRAPHS for planted in (True, False)}
    made = engines({f"{name}, {planted}": model for (name, planted), model in models.items()}, scratch)
    named, alarms = 0, 0
    for name in GRAPHS:
        with_pair, without = (inspect(made[f"{name}, {planted}"]) for planted in (True, False))
        costs = {one.kind: one.cost_bytes for one in with_pair.findings if one.kind in NAMING}
        named += bool(costs)
        alarms += any(one.kind in NAMING for one in without.findings)
        said = ", ".join(f"{kind} {cost:,} B" for kind, cost in costs.items()) or "NOT FOUND"
        say(name, said, f"moves {with_pair.total.bytes - without.total.bytes:+,} B")
    say("found", f"{named} of {len(GRAPHS)}", f"{alarms} in the graphs without the pair")
