"""Which hop moved the outputs: a decision on the numbers of each hop, for one output and for the whole model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOBODY = "nobody"
TOTAL = "total"
Hops = Mapping[str, Mapping[str, Any]]  # hop -> statistics of one output on it


def guilty_hop(hops: Hops) -> str:
    """The hop that made NaN or infinity, else the one with the largest root mean square error, else nobody.

    >>> guilty_hop({"export": {"rmse": 1e-7}, "precision": {"rmse": 0.02}, "total": {"rmse": 0.02}})
    'precision'
    >>> guilty_hop({"export": {"rmse": 1e-7, "nonfinite_mismatch": 1}, "precision": {"rmse": 0.02}})
    'export'
    """
    return _most({hop: _weight(stats) for hop, stats in hops.items() if hop != TOTAL})


def guilty_of_model(outputs: Mapping[str, Hops]) -> str:
    """The hop with the largest squared error over all outputs, each in units of its reference's mean square.

    So a hop that ruins one output of many is named, and an output of large numbers does not outvote the others.
    """
    weights: dict[str, tuple[float, float]] = {}
    for hops in outputs.values():
        unit = _unit(hops)
        for hop, stats in hops.items():
            if hop != TOTAL:
                broken, rmse = _weight(stats)
                known = weights.get(hop, (0.0, 0.0))
                weights[hop] = (known[0] + broken, known[1] + (rmse / unit) ** 2)
    return _most(weights)


def _weight(stats: Mapping[str, Any]) -> tuple[float, float]:
    return float(stats.get("nonfinite_mismatch", 0)), float(stats.get("rmse") or 0.0)


def _unit(hops: Hops) -> float:
    """The reference's RMS; for a reference of zeros, the largest error, which then counts as 1."""
    size = next((v for stats in hops.values() if (v := stats.get("reference_rms"))), None)
    return float(size or max((_weight(stats)[1] for stats in hops.values()), default=0.0) or 1.0)


def _most(weights: Mapping[str, tuple[float, float]]) -> str:
    moved = {hop: weight for hop, weight in weights.items() if any(weight)}
    return max(moved, key=lambda hop: moved[hop]) if moved else NOBODY
