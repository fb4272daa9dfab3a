"""Which calibration is best for a model: variants that agree in all else, by task metric, then by error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtbuild.documents.report import Axis, Report
from trtbuild.documents.sweep import CalibrationRanking, RankedCalibration, SweepVariant
from trtbuild.reports.sweepcells import label

ALIKE: tuple[Axis, ...] = ("model", "precision", "tensorrt", "runtime", "target")
MOST = 8  # lines on a terminal


def rankings(pairs: Sequence[tuple[SweepVariant, Report | None]]) -> list[CalibrationRanking]:
    """One for each group of variants with several calibrations that were measured, the best first."""
    groups: dict[tuple[str, ...], list[RankedCalibration]] = {}
    for v, report in pairs:
        if v["error"] is not None and report is not None:
            groups.setdefault(tuple(v[axis] for axis in ALIKE), []).append(_row(v, report))
    by_id = {v["id"]: v for v, _ in pairs}
    several = [rows for rows in groups.values() if len({row["calibration"] for row in rows}) > 1]
    return [_ranking(rows, by_id) for rows in several]


def lines(found: Sequence[CalibrationRanking]) -> list[str]:
    """The first few for a terminal, and how many more there are."""
    shown = [f"best calibration of {r['model']} {r['label']}: {named(r['rows'][0])}, {r['why']}" for r in found[:MOST]]
    more = len(found) - MOST
    return shown + ([f"and the best calibrations of {more} more, in the sweep's page"] if more > 0 else [])


def named(row: RankedCalibration) -> str:
    """Its name, and what a calibration that compares others chose."""
    return f"{row['calibration']} ({row['chosen']})" if row["chosen"] else row["calibration"]


def _ranking(rows: Sequence[RankedCalibration], by_id: Mapping[str, SweepVariant]) -> CalibrationRanking:
    first = by_id[rows[0]["id"]]
    metric = first["task"][0]["metric"] if all(row["score"] is not None for row in rows) else None
    ordered = sorted(rows, key=lambda row: (row["drop"] if metric else 0.0, row["relative"], row["id"]))
    others = [v for v in by_id.values() if v["model"] == first["model"]]
    return {
        "model": first["model"], "label": label(first, others, ALIKE[1:]) or first["precision"],
        "metric": metric, "rows": ordered, "why": _why(ordered[0], ordered[1], metric),
    }  # fmt: skip


def _row(v: SweepVariant, report: Report) -> RankedCalibration:
    task, error = v["task"][0] if v["task"] else None, v["error"]
    assert error is not None
    facts = report["precision"]["calibration"]
    return {
        "id": v["id"], "calibration": v["calibration"], "chosen": facts.get("chosen", "") if facts else "",
        "relative": error["relative"],
        "score": None if task is None else task["score"], "reference": None if task is None else task["reference"],
        "drop": 0.0 if task is None else task["drop"],
    }  # fmt: skip


def _why(best: RankedCalibration, second: RankedCalibration, metric: str | None) -> str:
    own, other = (f"{100 * row['relative']:.3g} %" for row in (best, second))
    if metric is not None and best["drop"] != second["drop"]:
        return f"the best {metric}: {best['score']:.6g}, then {second['score']:.6g}"
    same = "" if metric is None else f"the same {metric} ({best['score']:.6g})"
    if best["relative"] == second["relative"]:
        return f"as good as {named(second)}: {f'{same} and' if same else 'the same'} RMS error ({own})"
    error = f"the smallest RMS error of the worst output: {own}, then {other}"
    return f"of several with {same} the one with {error}" if same else f"{error} (no task metric is judged)"
