"""How the compiled engines of a sweep differ between TensorRT versions and between precisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from trtbuild.documents.enginecomparison import EngineDifference, SweepEngines
from trtbuild.documents.report import Axis, Report
from trtbuild.documents.sweep import SweepVariant
from trtbuild.engine.comparison import compare_engines
from trtbuild.reports.compareengine import engine_changes
from trtbuild.reports.sweepcells import label, natural, precision_order
from trtbuild.reports.sweepversions import of_models

MEASURE = "fp16"  # the precision that others are compared with, where it was built; otherwise the widest
SCOPES = 8  # of one comparison
Pair = tuple[SweepVariant, Report]
_BUT_VERSION: tuple[Axis, ...] = ("model", "precision", "runtime", "target", "calibration")
_BUT_PRECISION: tuple[Axis, ...] = ("model", "tensorrt", "runtime", "target")


def engines(pairs: Sequence[tuple[SweepVariant, Report | None]]) -> SweepEngines:
    """Each engine against that of the previous version, and against that of the precision to measure others by."""
    built = [(found, report) for found, report in pairs if report is not None]
    executed = any(about["executes"] == "engine" for _, report in built for about in report["runtimes"].values())
    versions = {found["tensorrt"] for found, _ in built}
    return {
        "lead": bool(built) and not executed and len(versions) > 1,
        "differences": [*_between_versions(built), *_between_precisions(built)],
    }


def _between_versions(pairs: Sequence[Pair]) -> Iterator[EngineDifference]:
    models = of_models(pairs)
    for members in _alike(pairs, _BUT_VERSION):
        ordered = sorted(members, key=lambda pair: natural(pair[0]["tensorrt"]))
        for old, new in pairwise(ordered):
            if old[0]["tensorrt"] != new[0]["tensorrt"]:
                yield _difference(old, new, "tensorrt", models[new[0]["model"]])


def _between_precisions(pairs: Sequence[Pair]) -> Iterator[EngineDifference]:
    models = of_models(pairs)
    for members in _alike(pairs, _BUT_PRECISION):
        ordered = sorted(members, key=lambda pair: (pair[0]["precision"] != MEASURE, precision_order(pair[0])))
        for other in ordered[1:]:
            if other[0]["precision"] != ordered[0][0]["precision"]:
                yield _difference(ordered[0], other, "precision", models[other[0]["model"]])


def _alike(pairs: Sequence[Pair], axes: Sequence[Axis]) -> list[list[Pair]]:
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for found, report in pairs:
        groups.setdefault(tuple(found[axis] for axis in axes), []).append((found, report))
    return list(groups.values())


def _difference(old: Pair, new: Pair, axis: Axis, model: Sequence[SweepVariant]) -> EngineDifference:
    (before, old_report), (found, report) = old, new
    made = compare_engines(
        report.get("compiled"), old_report.get("compiled"),
        estimates=(report.get("estimate"), old_report.get("estimate")),
    )  # fmt: skip
    others: tuple[Axis, ...] = tuple(a for a in (*_BUT_VERSION[1:], "tensorrt") if a != axis)
    own = label(found, model, others) or found["precision" if axis == "tensorrt" else "tensorrt"]
    return {
        "id": found["id"], "against": before["id"], "model": found["model"], "label": own,
        "axis": "tensorrt" if axis == "tensorrt" else "precision", "old": before[axis], "new": found[axis],
        "why": made["why"], "notes": made["notes"], "says": engine_changes(made),
        "scopes": made["scopes"][:SCOPES], "other_scopes": max(len(made["scopes"]) - SCOPES, 0),
    }  # fmt: skip
