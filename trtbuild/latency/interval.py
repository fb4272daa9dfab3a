"""What measured latencies mean: better or worse than a baseline, which doubts they carry, and whether limits hold."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Literal

from trtbuild.documents.latency import Label, Latency, Side
from trtbuild.documents.verdict import Check, NotJudged

NOISE = 0.02  # a difference that nobody should act on: the label's threshold
# The first is trtexec's own; the others are far above what an idle machine shows.
CV_LIMIT = 0.025
DRIFT_LIMIT = 0.05
LOAD_LIMIT = 0.5  # of the allowed cores, before anything was measured
STEAL_LIMIT = 0.01
OUTLIER_LIMIT = 0.05
COARSE_US = 20  # samples are whole microseconds: below this a step of one is 5 %


def subject(sides: Container[str]) -> Literal["lowered", "engine"]:
    """The side that is shipped, of those there are: the engine where it was executed, else the graph it was built from.

    >>> subject(["exported", "lowered"])
    'lowered'
    """
    return "engine" if "engine" in sides else "lowered"


def judge(low: float, high: float, threshold: float = NOISE) -> Label:
    """The verdict on a ratio new / old of medians whose 95 % interval is [low, high].

    Regressed or improved only when the whole interval lies beyond the threshold; no change only when it lies within.

    >>> [judge(1.03, 1.2), judge(0.8, 0.9), judge(0.99, 1.01), judge(0.99, 1.2)]
    ['regressed', 'improved', 'no change', 'inconclusive']
    """
    if low > 1 + threshold:
        return "regressed"
    if high < 1 - threshold:
        return "improved"
    return "no change" if low >= 1 - threshold and high <= 1 + threshold else "inconclusive"


def warnings(sides: Mapping[str, Side], facts: Mapping[str, str], cores: int, stolen: Mapping[str, int]) -> list[str]:
    """Doubts about a measurement, worst first: each names what it saw and what would help."""
    found = []
    if stolen.get("throttled_us"):
        seconds = stolen["throttled_us"] / 1e6
        found.append(f"Throttled: the control group's CPU quota stopped this measurement for {seconds:.2f} s.")
    if stolen.get("thermal"):
        found.append(f"Throttled: cores were slowed down for their heat {stolen['thermal']} times while measuring.")
    share = stolen.get("steal_ticks", 0) / max(stolen.get("total_ticks", 0), 1)
    if share > STEAL_LIMIT:
        found.append(f"The hypervisor gave {100 * share:.1f} % of the cores' time to other machines while measuring.")
    load = _number(facts["load_average"])
    if load is not None and load > LOAD_LIMIT * cores:
        found.append(f"The machine was busy before the start: load average {load:g} on {cores} allowed core(s).")
    for name, side in sides.items():
        found += _side_warnings(name, side) if side["measured"] else []
    governor = facts["governor"]
    if governor not in ("performance", "unknown"):
        found.append(f"The clocks are not fixed (governor: {governor}); they change with load and heat.")
    return found


def _side_warnings(name: str, side: Side) -> list[str]:
    doubts = []
    drift = spread([entry["p50_ms"] for entry in side["rounds"]])
    if drift > DRIFT_LIMIT:
        doubts.append(f"the rounds' medians differ by {100 * drift:.1f} %")
    if side["cv"] is not None and side["cv"] > CV_LIMIT:
        doubts.append(f"coefficient of variation {100 * side['cv']:.1f} % (above {100 * CV_LIMIT:g} %)")
    counts = side["outliers"]
    count = counts["mild_high"] + counts["mild_low"] + counts["severe_high"] + counts["severe_low"]
    outliers = count / side["n"]
    if outliers > OUTLIER_LIMIT:
        doubts.append(f"{100 * outliers:.0f} % of the calls are outliers")
    found = [f"{name} is unsteady: {'; '.join(doubts)}. Fix the clocks, quieten the machine, or measure longer."]
    by_host = side.get("about", {}).get("clock", "wall clock") == "wall clock"
    if by_host and 1000 * side["min_ms"] < COARSE_US:
        found.append(f"{name}: calls are so short that the clock's step of 1 µs shows; raise latency.batch.")
    return found if doubts else found[1:]


def spread(medians: Sequence[float]) -> float:
    """(largest - smallest) / smallest: 0 for one round.

    >>> spread([2.0, 2.5])
    0.25
    """
    return (max(medians) - min(medians)) / min(medians) if medians and min(medians) else 0.0


def latency_checks(
    measured: Latency | None, limits: Mapping[str, float | None]
) -> tuple[dict[str, Check], dict[str, NotJudged]]:
    """Checks, and limits that could not be judged with the reason, from latency.json (None: latency=off).

    ``p99_ms`` is judged by its estimate, ``max_regression`` by the interval of the ratio to the baseline; ``upper`` is
    the upper end of either interval.
    """
    checks: dict[str, Check] = {}
    not_judged: dict[str, NotJudged] = {}
    for name, judgement in (("p99_ms", _judge_p99), ("max_regression", _judge_regression)):
        limit = limits.get(name)
        if limit is None:
            continue
        said = "latency is not measured (latency=off)" if measured is None else judgement(measured, limit)
        if isinstance(said, str):
            not_judged[f"latency: {name}"] = {"limit": limit, "why": said}
        else:
            checks[f"latency: {name}"] = said
    return checks, not_judged


def _judge_p99(measured: Latency, limit: float) -> Check | str:
    side = measured["sides"][subject(measured["sides"])]
    if not side["measured"]:
        return side["why"]
    p99 = side["p99_ms"]
    if p99 is not None:
        return _check(p99["value"], limit, p99["value"] <= limit, p99["high"])
    for lower in (side["p90_ms"], side["p50_ms"]):  # a lower percentile above the limit decides as well
        if lower is not None and lower["low"] is not None and lower["high"] is not None and lower["low"] > limit:
            return _check(lower["value"], limit, False, lower["high"])
    return f"n too small: {side['n']} calls say as much as {side['n_eff']:g}, a p99 needs 299; raise latency.seconds"


def _judge_regression(measured: Latency, limit: float) -> Check | str:
    chosen = subject(measured["sides"])
    for name in (chosen, "baseline"):
        side = measured["sides"].get(name)
        if side is None:
            file = {"engine": "an engine.plan", "lowered": "a lowered.onnx"}[chosen]
            return f"there is no baseline: name {file} of another build in latency.baseline"
        if not side["measured"]:
            return f"{name}: {side['why']}"
    ratio = measured["ratios"]["baseline"]
    if judge(ratio["low"], ratio["high"], limit) == "regressed":
        passed = False
    elif ratio["high"] <= 1 + limit:
        passed = True
    else:
        between = f"{100 * (ratio['low'] - 1):+.1f} to {100 * (ratio['high'] - 1):+.1f} %"
        return f"inconclusive: the change is {between} of the baseline; raise latency.seconds or latency.rounds"
    return _check(round(ratio["value"] - 1, 6), limit, passed, round(ratio["high"] - 1, 6))


def _check(observed: float, limit: float, passed: bool, upper: float) -> Check:
    share = observed / limit if limit else None
    return {"observed": observed, "limit": limit, "passed": passed, "share_of_limit": share, "upper": upper}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
