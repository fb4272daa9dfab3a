"""Numbers against thresholds: pure decisions, each with the observed value, the limit, and the share of it used."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import get_args

from trtbuild.core.spec.validation import LOWER_BOUNDS
from trtbuild.documents.verdict import Check, NotJudged, Verdict, Word

WORDS: tuple[Word, ...] = get_args(Word)
Statistics = Mapping[str, object]  # of one output, by name, as deviation.json has them
EXPORT = "export: "  # prefix of the checks of the hop source model -> exported graph
# The limits for that hop where the config sets none.  Measured in float32 against TensorFlow: eight
# keras.applications 110 dB and more, single operations at least 72 (bicubic resize, which TensorFlow computes from
# tables); a float16 product 71, bfloat16 written as float16 48 to 57; exports known to be wrong at most 29
# (TensorFlow 1's bicubic resize).
EXPORT_SQNR_DB = 40.0
EXPORT_MAX_ABS = 1e-6  # smaller errors are float32's own, however small the output: some cancel to zero
EXPORT_EXACT_SHARE = 0.9  # of whole numbers: a near tie can choose another class, but no more than that
ADVISED = ("cosine", "max_abs")  # metrics proposed for a missing threshold, with their measured values


def verdict_document(
    checks: Mapping[str, Check], *, judging: int, why_not: str, further: int, not_judged: Mapping[str, NotJudged]
) -> Verdict:
    """The verdict on these checks.

    Args:
        judging: the number of thresholds on deviation or a task metric in this precision.  Without any the verdict is
            unjudged: that nothing is NaN, or that it is fast, says nothing about the outputs.
        why_not: the explanation in that case (:func:`missing_threshold`).
        further: the number of limits on latency and on the engine that were judged.
        not_judged: what could not be judged, and why.
    """
    failed = not all(check["passed"] for check in checks.values())
    word: Word = "fail" if failed else "pass" if judging else "unjudged"
    return {
        "word": word, "passed": word == "pass", "unjudged": None if judging else why_not,
        "checks": dict(checks), "thresholds": judging + further, "not_judged": dict(not_judged),
    }  # fmt: skip


def word_of(verdict: Verdict) -> Word:
    """The word of a verdict.json, or of the verdict in a report; older ones, with two possible verdicts, have none."""
    if not all(check["passed"] for check in verdict["checks"].values()):
        return "fail"
    if verdict.get("word") == "unjudged":
        return "unjudged"
    if not verdict["passed"]:
        return "fail"
    return "pass" if verdict.get("thresholds", 1) else "unjudged"


def headline(verdict: Verdict) -> str:
    """The verdict in a line: ``PASS (7 of 7 checks)``."""
    checks, word = verdict["checks"].values(), word_of(verdict)
    why = f": {why_unjudged(verdict)}" if word == "unjudged" else ""
    return f"{word.upper()} ({sum(check['passed'] for check in checks)} of {len(checks)} checks){why}"


def why_unjudged(verdict: Verdict) -> str:
    """Why a verdict is unjudged: what is missing, and the line to add."""
    return verdict.get("unjudged") or "no threshold is set for this precision"


def missing_threshold(precision: str, total: Mapping[str, Statistics]) -> str:
    """The line to add for a precision without thresholds, with the worst output's measured values as a guide.

    >>> missing_threshold("int8", {"y": {"cosine": 0.9991, "max_abs": 0.25}})
    'no threshold for int8; add model.validation.deviation.cosine.int8: … (measured 0.9991) or max_abs.int8: … (0.25)'
    """
    measured: dict[str, str] = {}
    for name in ADVISED:
        values = [value for stats in total.values() if (value := _number(stats, name)) is not None]
        worst = (min if name in LOWER_BOUNDS else max)(values, default=None)
        measured[name] = "none" if worst is None else f"{worst:.9g}" if name == "cosine" else f"{worst:.6g}"
    first, second = ADVISED
    return (
        f"no threshold for {precision}; add model.validation.deviation.{first}.{precision}: … "
        f"(measured {measured[first]}) or {second}.{precision}: … ({measured[second]})"
    )


def deviation_checks(total: Mapping[str, Statistics], limits: Mapping[str, float]) -> dict[str, Check]:
    """One check for each output and limit; an output with NaN or infinity that the source lacks always fails."""
    checks: dict[str, Check] = {}
    for output, stats in sorted(total.items()):
        checks |= _output_checks(output, stats, limits)
    return checks


def export_checks(
    hop: Mapping[str, Statistics], limits: Mapping[str, float], whole: Collection[str]
) -> dict[str, Check]:
    """The same for the hop source model -> exported graph, which does not depend on the precision.

    Args:
        limits: the config's; a default applies where it is empty.
        whole: outputs that are integers or booleans.
    """
    checks: dict[str, Check] = {}
    for output, stats in sorted(hop.items()):
        chosen = limits or _export_default(stats, whole=output in whole)
        checks |= _output_checks(f"{EXPORT}{output}", stats, chosen)
    return checks


def _export_default(stats: Statistics, *, whole: bool) -> dict[str, float]:
    max_abs = _number(stats, "max_abs")
    if max_abs is None:
        return {}  # no element is finite, or there is none; that both sides agree in this is checked anyway
    if whole:
        return {"exact_share": EXPORT_EXACT_SHARE}
    return {"max_abs": EXPORT_MAX_ABS} if max_abs <= EXPORT_MAX_ABS else {"sqnr_db": EXPORT_SQNR_DB}


def export_fault(verdict: Verdict) -> str:
    """What is to blame for failed checks of the export, in one line; "" if they passed."""
    failed = [name for name, check in verdict["checks"].items() if name.startswith(EXPORT) and not check["passed"]]
    if not failed:
        return ""
    return (
        "the exporter is to blame, and no precision can mend it: the exported ONNX graph already computes something "
        "other than the source model does; see the warnings of the export and trtbuild check (or, where the model is "
        "random or ill-conditioned, set model.validation.export)"
    )


def _output_checks(output: str, stats: Statistics, limits: Mapping[str, float]) -> dict[str, Check]:
    broken = _number(stats, "nonfinite_mismatch")
    checks = {f"{output}: no NaN or infinity": _check(broken, 0, broken == 0, None)}
    for name, limit in sorted(limits.items()):
        observed = _number(stats, name)
        if name in LOWER_BOUNDS:
            # Without any error the SQNR is not finite: that passes.  Without any finite element: that does not.
            passed = _number(stats, "max_abs") == 0.0 if observed is None else observed >= limit
            # The budget of a similarity is its distance from 1; decibels have none.
            share = _share(1 - observed, 1 - limit) if name != "sqnr_db" and observed is not None else None
        else:
            passed = observed is not None and observed <= limit
            share = _share(observed, limit)
        checks[f"{output}: {name}"] = _check(observed, limit, passed, share)
    return checks


def set_checks(sets: Mapping[str, Mapping[str, Statistics]]) -> dict[str, Check]:
    """Checks on further sets of inputs: no NaN or infinity that the source model does not have.

    ``sets``: the statistics of each output over all hops, by set.
    """
    checks: dict[str, Check] = {}
    for name, total in sorted(sets.items()):
        for output, stats in sorted(total.items()):
            broken = _number(stats, "nonfinite_mismatch")
            checks[f"{name}: {output}: no NaN or infinity"] = _check(broken, 0, broken == 0, None)
    return checks


def calibration_checks(doubts: int) -> dict[str, Check]:
    """What ``calibration.strict`` asks for: no warning that makes a scale doubtful.

    >>> calibration_checks(2)["calibration: warnings"]["passed"]
    False
    """
    return {"calibration: warnings": _check(doubts, 0, doubts == 0, None)}


def task_check(metric: str, reference: float, observed: float, max_drop: float, *, higher_is_better: bool) -> Check:
    """The drop against TensorFlow's own score on the same labels; an observed score that is not a number fails."""
    drop = reference - observed if higher_is_better else observed - reference
    finite = math.isfinite(observed)
    check = _check(drop, max_drop, drop <= max_drop, _share(drop, max_drop))
    check = check if finite else _check(None, max_drop, False, None)
    check["metric"], check["reference"], check["higher_is_better"] = metric, reference, higher_is_better
    if finite:
        check["score"] = observed
    return check


def _number(stats: Statistics, name: str) -> float | None:
    value = stats[name]
    return value if isinstance(value, (int, float)) else None


def _share(observed: float | None, limit: float) -> float | None:
    return None if observed is None or not limit else observed / limit


def _check(observed: float | None, limit: float, passed: bool, share: float | None) -> Check:
    return {"observed": observed, "limit": limit, "passed": bool(passed), "share_of_limit": share}
