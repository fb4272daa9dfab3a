"""Which hop moved the outputs: decided from the numbers of each hop, for one output and for the whole model."""

from __future__ import annotations

from collections.abc import Mapping

from trtbuild.documents.deviation import Guilty

TOTAL = "total"
HOPS: Mapping[str, Guilty] = {
    "export": "export", "ranges": "ranges", "precision": "precision", "engine": "engine",
}  # fmt: skip
Hops = Mapping[str, Mapping[str, object]]  # hop -> statistics of one output on it


def guilty_hop(hops: Hops) -> Guilty:
    """The hop that introduced NaN or infinity, else the one with the largest root mean square error, else nobody.

    >>> guilty_hop({"export": {"rmse": 1e-7}, "precision": {"rmse": 0.02}, "total": {"rmse": 0.02}})
    'precision'
    >>> guilty_hop({"export": {"rmse": 1e-7, "nonfinite_mismatch": 1}, "precision": {"rmse": 0.02}})
    'export'
    """
    return _most({hop: _weight(stats) for hop, stats in hops.items() if hop != TOTAL})


def guilty_of_model(outputs: Mapping[str, Hops]) -> Guilty:
    """The hop with the largest squared error over all outputs, each in units of its reference's mean square.

    So a hop that ruins one output of many is named, and an output with large numbers does not outvote the others.
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


def _weight(stats: Mapping[str, object]) -> tuple[float, float]:
    return _number(stats, "nonfinite_mismatch"), _number(stats, "rmse")


def _unit(hops: Hops) -> float:
    """The reference's RMS; for a reference of zeros, the largest error, which then counts as 1."""
    size = next((v for stats in hops.values() if (v := _number(stats, "reference_rms"))), None)
    return float(size or max((_weight(stats)[1] for stats in hops.values()), default=0.0) or 1.0)


def _most(weights: Mapping[str, tuple[float, float]]) -> Guilty:
    moved = {hop: weight for hop, weight in weights.items() if any(weight)}
    return HOPS[max(moved, key=lambda hop: moved[hop])] if moved else "nobody"


def _number(stats: Mapping[str, object], name: str) -> float:
    value = stats.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0
