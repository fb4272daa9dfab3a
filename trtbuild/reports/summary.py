"""A report in one small document that git keeps: what reviewers follow over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trtbuild.core.spec.validation import LOWER_BOUNDS, UPPER_BOUNDS
from trtbuild.core.taskgroups import called, fallen
from trtbuild.core.verdict import word_of
from trtbuild.documents.report import Report
from trtbuild.documents.task import TaskScores
from trtbuild.documents.trend import VERSION, Summary, TaskScore
from trtbuild.documents.verdict import Verdict
from trtbuild.reports.comparelatency import lowered_side

METRICS = (*UPPER_BOUNDS, *LOWER_BOUNDS)


def summary(page: Report) -> Summary:
    variant, compiled = page["variant"], page.get("compiled")
    total = compiled.get("total") if compiled else None
    latency = page.get("latency")
    side = lowered_side(latency) if latency else None
    return {
        "schema_version": VERSION,
        "variant": {
            "id": variant["id"], "model": variant["model"], "precision": variant["precision"],
            "tensorrt": variant["tensorrt"], "runtime": variant["runtime"], "target": variant["target"],
            "calibration": variant["calibration"],
        },
        "verdict": word_of(page["verdict"]),
        "task": task_score(page["verdict"], page.get("task")),
        "deviation": worst(output["hops"]["total"] for output in page["outputs"].values()),
        "plan_bytes": page["engine"]["bytes"],
        "moved_bytes": total["bytes"] if total and not total["unknown"] else None,
        "layers": total["layers"] if total else None,
        "p50_ms": side["p50_ms"]["value"] if side and side["measured"] else None,
    }  # fmt: skip


def task_score(verdict: Verdict, scores: TaskScores | None = None) -> TaskScore | None:
    for check in verdict["checks"].values():
        if "score" in check:
            return {
                "metric": check["metric"], "score": check["score"], "source": check["reference"],
                "higher_is_better": check["higher_is_better"],
                "fell": [called(group) for group in fallen(scores)] if scores else [],
            }  # fmt: skip
    return None


def worst(outputs: Iterable[Mapping[str, object]]) -> dict[str, float | None]:
    """The worst value of each metric that can have a limit."""
    found: dict[str, list[float]] = {}
    for statistics in outputs:
        for name in METRICS:
            value = statistics.get(name)
            if isinstance(value, (int, float)):
                found.setdefault(name, []).append(float(value))
    return {name: (min if name in LOWER_BOUNDS else max)(found[name]) if name in found else None for name in METRICS}
