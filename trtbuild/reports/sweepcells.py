"""One entry of a sweep -> the content of its cell, its row and its failure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from trtbuild.base.text import printable
from trtbuild.core.spec.validation import LOWER_BOUNDS
from trtbuild.core.verdict import WORDS, why_unjudged
from trtbuild.core.warning import line
from trtbuild.documents.latency import MaybeBounds, ReportedLatency
from trtbuild.documents.layers import ReportedLayers
from trtbuild.documents.report import Axis, Output, Report
from trtbuild.documents.sweep import (
    FailureState,
    FirstBad,
    State,
    SweepCheck,
    SweepEntry,
    SweepNumbers,
    SweepVariant,
    WorstError,
)
from trtbuild.documents.verdict import Check
from trtbuild.reports.changes import changes
from trtbuild.reports.compare import compare, facts
from trtbuild.reports.compareengine import engine_numbers
from trtbuild.reports.comparelatency import lowered_side

AXES: tuple[Axis, ...] = ("model", "tensorrt", "precision", "runtime", "target", "calibration")
FAILURES: tuple[FailureState, ...] = ("fail", "failed", "refused", "invalid")
STATES: tuple[State, ...] = (*FAILURES, "not built", "unjudged", "pass")  # in the order of urgency


def variant(entry: SweepEntry) -> SweepVariant:
    """The entry as page data; its report counts only if something was built."""
    report = entry["report"] if entry["state"] in WORDS else None
    reason = why_unjudged(report["verdict"]) if report is not None and entry["state"] == "unjudged" else entry["reason"]
    accepted = entry["baseline"]
    comparison = compare(report, accepted) if report is not None and accepted is not None else None
    return {
        "id": entry["id"], "model": entry["model"], "tensorrt": entry["tensorrt"], "precision": entry["precision"],
        "runtime": entry["runtime"], "target": entry["target"], "calibration": entry["calibration"],
        "precision_rank": entry["precision_rank"],
        "state": entry["state"], "reason": printable(reason or ""),
        "accepted": accepted is not None,
        "against_baseline": comparison,
        "baseline_changes": [] if comparison is None else changes(comparison),
        "links": _links(entry["folder"], report),
        **(_nothing() if report is None else _measured(report)),
    }  # fmt: skip


def _nothing() -> SweepNumbers:
    return {
        "p50_ms": None, "p50_why": "", "speedup": None, "worst": None, "checks": None, "failed_checks": [], "task": [],
        "error": None, "guilty": None, "first_bad": None, "engine": None, "compiled": None, "facts": {}, "warnings": [],
    }  # fmt: skip


def _measured(report: Report) -> SweepNumbers:
    checks, engine, latency = report["verdict"]["checks"], report["engine"], report.get("latency")
    p50, why = _p50(latency)
    return {
        "p50_ms": p50, "p50_why": why, "speedup": latency.get("speedup") if latency else None,
        "worst": _worst(checks),
        "checks": {"passed": sum(c["passed"] for c in checks.values()), "all": len(checks)},
        "failed_checks": [_check(name, check) for name, check in sorted(checks.items()) if not check["passed"]],
        "task": [{"name": name, "metric": c["metric"], "score": c["score"], "reference": c["reference"],
                  "drop": c["reference"] - c["score"] if c["higher_is_better"] else c["score"] - c["reference"]}
                 for name, c in sorted(checks.items()) if "score" in c],
        "error": _error(report["outputs"]), "guilty": report["guilty"],
        "first_bad": _first_bad(report.get("layers")),
        "engine": {
            "bytes": engine["bytes"], "sha256": engine["sha256"], "onnx_sha256": engine["onnx_sha256"],
            "flavour": engine["flavour"], "version": engine["version"],
        },
        "compiled": engine_numbers(report),
        "facts": facts(report), "warnings": [*map(line, report["warnings"]), *report["notes"]],
    }  # fmt: skip


def _p50(latency: ReportedLatency | None) -> tuple[MaybeBounds | None, str]:
    if latency is None:
        return None, "latency is off"
    side = lowered_side(latency)
    if side is None or not side["measured"]:
        return None, f"not measured: {side['why']}" if side is not None and "why" in side else "not measured"
    return side["p50_ms"], ""


def _worst(checks: Mapping[str, Check]) -> SweepCheck | None:
    """The check nearest to its limit, or furthest beyond it; a failed check comes before all that passed."""
    judged = {name: c for name, c in checks.items() if c["share_of_limit"] is not None or not c["passed"]}
    if not judged:
        return None
    name = max(sorted(judged), key=lambda name: (not judged[name]["passed"], judged[name]["share_of_limit"] or 0.0))
    return _check(name, judged[name])


def _check(name: str, check: Check) -> SweepCheck:
    """``margin``: the distance to its limit, in the check's own unit; negative outside the limit."""
    observed, limit = check["observed"], check["limit"]
    lower = name.rpartition(": ")[2] in LOWER_BOUNDS
    margin = None if observed is None else observed - limit if lower else limit - observed
    return {"name": name, "observed": observed, "limit": limit, "margin": margin, "share": check["share_of_limit"]}


def _error(outputs: Mapping[str, Output]) -> WorstError | None:
    """The output that moved most: RMS error over the RMS of the reference."""
    found = []
    for name, output in outputs.items():
        total = output["hops"]["total"]
        if total["rmse"] is not None and total["reference_rms"]:
            found.append((total["rmse"] / total["reference_rms"], name, total["max_abs"]))
    if not found:
        return None
    relative, name, largest = max(found, key=lambda f: (f[0], f[1]))
    return {"output": name, "relative": relative, "max_abs": largest}


def _first_bad(layers: ReportedLayers | None) -> FirstBad | None:
    if not layers:
        return None
    for hop in ("total", "export"):
        if layers["jumps"].get(hop):
            jump = layers["jumps"][hop][0]
            return {"path": jump["path"], "type": jump["type"], "says": jump["says"], "index": jump["index"]}
    return None


def _links(folder: str | None, report: Report | None) -> dict[str, str]:
    """Links to the variant's pages, relative to the sweep's page."""
    if folder is None or report is None:
        return {}
    base = quote(folder, safe="/._-~+")
    pages = ["overview", "deviation", *(page for page in ("layers", "latency") if page in report)]
    pages += ["engine"] if "compiled" in report else []
    return {page: f"{base}/{page}.html" for page in pages}


def natural(text: str) -> tuple[object, ...]:
    """A key that sorts versions by their numbers.

    >>> sorted(["rtx-1.10", "rtx-1.9"], key=natural)
    ['rtx-1.9', 'rtx-1.10']
    """
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def precision_order(v: SweepVariant) -> tuple[int, str]:
    """Precisions by the config's ranks, widest first; unknown ones come last."""
    return v["precision_rank"], v["precision"]


def sort_key(v: SweepVariant) -> tuple[object, ...]:
    """Sorts by model, then column, then id."""
    return (natural(v["model"]), column_order(v), v["id"])


def column_order(v: SweepVariant) -> tuple[object, ...]:
    return (natural(v["tensorrt"]), v["runtime"], v["target"], precision_order(v), v["calibration"])


def calibrated(variants: Sequence[SweepVariant]) -> set[str]:
    """Precisions with several calibrations; the others carry an option that they do not use."""
    found: dict[str, set[str]] = {}
    for v in variants:
        found.setdefault(v["precision"], set()).add(v["calibration"])
    return {precision for precision, options in found.items() if len(options) > 1}


def label(v: SweepVariant, variants: Sequence[SweepVariant], axes: Sequence[Axis] = AXES[1:]) -> str:
    """A variant's name from the options on ``axes`` that vary between ``variants``; empty if none does."""
    several = calibrated(variants)
    varying: list[Axis] = [
        axis for axis in axes if axis != "calibration" and len({other[axis] for other in variants}) > 1
    ]
    if "calibration" in axes and v["precision"] in several:
        varying.append("calibration")
    return " ".join(v[axis] for axis in varying)


def labels(variants: Sequence[SweepVariant]) -> dict[str, str]:
    """A short name for each variant of one model (id -> label); the id where short names are not unique."""
    made = {v["id"]: label(v, variants) or v["id"] for v in variants}
    return made if len(set(made.values())) == len(made) else {v["id"]: v["id"] for v in variants}
