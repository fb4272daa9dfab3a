"""Two latency measurements: whether they can be compared at all and, if so, whether the median changed."""

from __future__ import annotations

from collections.abc import Mapping

from trtbuild.documents.comparison import LatencyChange
from trtbuild.documents.latency import MaybeBounds, ReportedLatency, ReportedSide
from trtbuild.latency.interval import NOISE, subject

# The facts that tell machines apart.  Clocks and load change by themselves: they are shown, not judged.
DEVICE = ("machine", "cpu", "cores", "cpu_quota", "gpu", "gpu_name", "device", "driver")


def lowered_side(latency: ReportedLatency) -> ReportedSide | None:
    """The measurement of the shipped side: the engine where it was executed, else the lowered graph."""
    chosen = subject([side["name"] for side in latency["sides"]])
    return next((side for side in latency["sides"] if side["name"] == chosen), None)


def compare_latency(new: ReportedLatency | None, old: ReportedLatency | None) -> LatencyChange:
    """Medians in milliseconds with their 95 % intervals, the ratio new / old, and a label.

    The two were measured separately, not in turns, so overlapping intervals mean "no change", as does a difference
    below NOISE; "not comparable" has its reason in ``why``.
    """
    a, b = _median(new), _median(old)
    reason = _reason(new, old)
    made: LatencyChange = {"new": a, "old": b, "ratio": None, "label": "not comparable", "why": reason}
    if reason or a is None or b is None:
        return made
    (low, high), (old_low, old_high) = _ends(a), _ends(b)
    value = a["value"] / b["value"]
    made["ratio"] = {"value": value, "low": low / old_high, "high": high / old_low if old_low else None}
    made["label"] = "no change"
    if low > old_high and value > 1 + NOISE:
        made["label"] = "slower"
    elif high < old_low and value < 1 - NOISE:
        made["label"] = "faster"
    return made


def _ends(bounds: MaybeBounds) -> tuple[float, float]:
    """A complete interval: :func:`_reason` has checked that it is there."""
    low, high = bounds["low"], bounds["high"]
    assert low is not None and high is not None
    return low, high


def _median(latency: ReportedLatency | None) -> MaybeBounds | None:
    side = lowered_side(latency) if latency else None
    return side["p50_ms"] if side is not None and side["measured"] else None


def _reason(new: ReportedLatency | None, old: ReportedLatency | None) -> str:
    """Why the two cannot be compared; empty if they can."""
    for name, latency in (("new", new), ("old", old)):
        if latency is None:
            return f"the {name} side was built without latency"
        side = lowered_side(latency)
        if side is None or not side["measured"]:
            why = side.get("why") if side is not None else None
            return f"the {name} side was not measured: {why or 'no reason given'}"
        p50 = side["p50_ms"]
        if p50 is None or None in (p50["value"], p50["low"], p50["high"]) or not p50["value"] or not p50["high"]:
            return f"the {name} side has too few calls for an interval"
    if new is None or old is None:
        return ""
    differ = [name for (name, a), (_, b) in zip(conditions(new), conditions(old), strict=True) if a != b]
    return f"other {', '.join(differ)}" if differ else ""


def conditions(latency: ReportedLatency) -> list[tuple[str, object]]:
    """Name and value of everything that must be equal before two latencies are compared."""
    side = lowered_side(latency)
    where: Mapping[str, object] = latency["environment"]
    about: Mapping[str, object] = side["about"] if side is not None and "about" in side else {}
    device = ", ".join(f"{key} {where[key]}" for key in DEVICE if where.get(key) is not None)
    runtime = [about.get("runtime"), about.get("executes"), about.get("providers"), about.get("emulated")]
    return [("device", device), ("threads", where.get("threads")), ("batch", latency["batch"]), ("runtime", runtime)]
