"""Numbers against thresholds: pure decisions, each with what was observed, the limit, and the share of it used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtbuild.core.validationspec import LOWER_BOUNDS

Check = dict[str, Any]


def deviation_checks(total: Mapping[str, Mapping[str, Any]], limits: Mapping[str, float]) -> dict[str, Check]:
    """One check for each output and limit; an output with NaN or infinity of its own always fails."""
    checks: dict[str, Check] = {}
    for output, stats in sorted(total.items()):
        broken = stats["nonfinite_mismatch"]
        checks[f"{output}: no NaN or infinity"] = _check(broken, 0, broken == 0, None)
        for name, limit in sorted(limits.items()):
            observed = stats[name]
            if name in LOWER_BOUNDS:
                # No error at all has no finite SQNR: it passes.  No finite element at all does not.
                passed = stats["max_abs"] == 0.0 if observed is None else observed >= limit
                # A cosine's budget is its distance from 1; decibels have none.
                share = _share(1 - observed, 1 - limit) if name == "cosine" and observed is not None else None
            else:
                passed = observed is not None and observed <= limit
                share = _share(observed, limit)
            checks[f"{output}: {name}"] = _check(observed, limit, passed, share)
    return checks


def set_checks(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Check]:
    """What further sets of inputs must not do either: bring out NaN or infinity that the source model has not."""
    checks: dict[str, Check] = {}
    for name, measured in sorted(sets.items()):
        for output, stats in sorted(measured["hops"]["total"].items()):
            broken = stats["nonfinite_mismatch"]
            checks[f"{name}: {output}: no NaN or infinity"] = _check(broken, 0, broken == 0, None)
    return checks


def task_check(metric: str, reference: float, observed: float, max_drop: float, *, higher_is_better: bool) -> Check:
    """The drop against TensorFlow's own score on the same labels."""
    drop = reference - observed if higher_is_better else observed - reference
    return {
        **_check(drop, max_drop, drop <= max_drop, _share(drop, max_drop)),
        "metric": metric, "reference": reference, "score": observed, "higher_is_better": higher_is_better,
    }  # fmt: skip


def _share(observed: float | None, limit: float) -> float | None:
    return None if observed is None or not limit else observed / limit


def _check(observed: float | None, limit: float, passed: bool, share: float | None) -> Check:
    return {"observed": observed, "limit": limit, "passed": bool(passed), "share_of_limit": share}
