"""Which calibration is best for a model: variants that agree in all else, by task metric, then by error."""

from __future__ import annotations

from collections.abc import Sequence

from trtbuild.documents.report import Axis
from trtbuild.documents.sweep import CalibrationRanking, RankedCalibration, SweepVariant
from trtbuild.reports.sweepcells import label

ALIKE: tuple[Axis, ...] = ("model", "precision", "tensorrt", "runtime", "target")


def rankings(variants: Sequence[SweepVariant]) -> list[CalibrationRanking]:
    """One for each group of variants with several calibrations that were measured, the best first."""
    groups: dict[tuple[str, ...], list[SweepVariant]] = {}
    for v in variants:
        if v["error"] is not None:
            groups.setdefault(tuple(v[axis] for axis in ALIKE), []).append(v)
    return [_ranking(own, variants) for own in groups.values() if len({v["calibration"] for v in own}) > 1]


def _ranking(own: Sequence[SweepVariant], variants: Sequence[SweepVariant]) -> CalibrationRanking:
    metric = own[0]["task"][0]["metric"] if all(v["task"] for v in own) else None
    rows = sorted((_row(v) for v in own), key=lambda row: (row["drop"] if metric else 0.0, row["relative"], row["id"]))
    first, name = rows[0], own[0]["model"]
    others = [v for v in variants if v["model"] == name]
    return {
        "model": name, "label": label(own[0], others, ALIKE[1:]) or own[0]["precision"],
        "metric": metric, "rows": rows, "why": _why(first, rows[1], metric),
    }  # fmt: skip


def _row(v: SweepVariant) -> RankedCalibration:
    task, error = v["task"][0] if v["task"] else None, v["error"]
    assert error is not None
    return {
        "id": v["id"], "calibration": v["calibration"], "relative": error["relative"],
        "score": None if task is None else task["score"], "reference": None if task is None else task["reference"],
        "drop": 0.0 if task is None else task["drop"],
    }  # fmt: skip


def _why(best: RankedCalibration, second: RankedCalibration, metric: str | None) -> str:
    error = f"an RMS error of {100 * best['relative']:.3g} %, after {100 * second['relative']:.3g} % of the next"
    if metric is None or best["score"] is None or second["score"] is None:
        return f"the smallest error of the worst output: {error} (no task metric is judged)"
    if best["drop"] == second["drop"]:
        return f"of several with the same {metric} ({best['score']:.6g}) the one with the smallest error: {error}"
    return f"the best {metric}: {best['score']:.6g}, after {second['score']:.6g} of the next"
