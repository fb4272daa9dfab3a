"""Two report.json documents, new and old -> what changed between them: verdict, numbers, layers, environment."""

from __future__ import annotations

import math
from collections.abc import Mapping

from trtbuild.core.verdict import word_of
from trtbuild.documents.comparison import (
    Change,
    ComparedNumbers,
    Comparison,
    Fact,
    LayersChange,
    MovedLayer,
    Shares,
    TaskChange,
    VerdictChange,
    Who,
    WorstPair,
)
from trtbuild.documents.deviation import Metric
from trtbuild.documents.enginecomparison import Pair
from trtbuild.documents.layers import LayerRow, ReportedLayers
from trtbuild.documents.report import Output, Report
from trtbuild.engine.comparison import compare_engines
from trtbuild.layers.jumps import floor
from trtbuild.reports.changes import summary, worst_output
from trtbuild.reports.comparegroups import compare_groups
from trtbuild.reports.comparelatency import compare_latency, lowered_side

# Statistics of one output (report.json: outputs.*.hops.total), each compared as old, new and "times the error".
METRICS: tuple[Metric, ...] = (
    "max_abs", "mean_abs", "median_abs", "p90_abs", "p99_abs", "p999_abs", "rmse", "bias", "cosine", "sqnr_db",
    "median_rel", "p99_rel", "max_rel", "argmax_disagreement", "nonfinite_mismatch",
)  # fmt: skip
LAYER_FACTOR = 3.0  # a layer moved if one of its two errors is more than three times the other
MOMENT = ("load_average", "clock_mhz")  # facts that differ at every measurement, and explain nothing


def compare(new: Report, old: Report) -> Comparison:
    """The comparison as data; every ``ratio`` is new / old, and above 1 means more error, time or bytes.

    Args:
        new, old: whole report.json documents (``documents/report.py``), of any two variants.
    """
    made: ComparedNumbers = {
        "new": _who(new),
        "old": _who(old),
        "verdict": _verdict(new, old),
        "deviation": {name: _metrics(new["outputs"][name], old["outputs"][name]) for name in _both(new, old)},
        "outputs_only_new": sorted(set(new["outputs"]) - set(old["outputs"])),
        "outputs_only_old": sorted(set(old["outputs"]) - set(new["outputs"])),
        "task": _task(new, old),
        "groups": compare_groups(new.get("task"), old.get("task")),
        "latency": compare_latency(new.get("latency"), old.get("latency")),
        "engine_bytes": _pair(new["engine"]["bytes"], old["engine"]["bytes"]),
        "work_share": _shares(new["engine"]["work_share"], old["engine"]["work_share"]),
        "compiled": compare_engines(
            new.get("compiled"), old.get("compiled"), estimates=(new.get("estimate"), old.get("estimate"))
        ),
        "layers": compare_layers(new.get("layers"), old.get("layers")),
        "environment": environment(new, old),
    }
    worst = worst_output(made)
    worst_rmse: WorstPair | None = None if worst is None else {"output": worst[0], **worst[1]}
    return {**made, "worst_rmse": worst_rmse, "summary": summary(made)}


def error_ratio(metric: str, new: float | None, old: float | None) -> float | None:
    """The new error as a multiple of the old one; None where that has no meaning (an old error of 0, a missing one).

    A cosine's error is its distance from 1, a signal-to-noise ratio's an amplitude, a bias counts by its magnitude.

    >>> error_ratio("sqnr_db", 20.0, 40.0), error_ratio("bias", -2.0, 1.0), error_ratio("rmse", 0.0, 0.0)
    (10.0, 2.0, 1.0)
    """
    if new is None or old is None:
        return None
    try:
        if metric == "sqnr_db":
            return float(10.0 ** ((old - new) / 20))
        if metric == "cosine":
            new, old = 1 - new, 1 - old
        new, old = abs(new), abs(old)
        ratio = 1.0 if new == old else new / old
    except (OverflowError, ZeroDivisionError):
        return None
    return ratio if math.isfinite(ratio) else None


def _who(page: Report) -> Who:
    v = page["variant"]
    return {
        "id": v["id"], "model": v["model"], "precision": v["precision"], "tensorrt": v["tensorrt"],
        "runtime": v["runtime"], "target": v["target"], "calibration": v["calibration"],
        "passed": word_of(page["verdict"]) == "pass",
    }  # fmt: skip


def _both(new: Report, old: Report) -> list[str]:
    return sorted(set(new["outputs"]) & set(old["outputs"]))


def _verdict(new: Report, old: Report) -> VerdictChange:
    failing = {side: {name for name, c in page["verdict"]["checks"].items() if not c["passed"]}
               for side, page in (("new", new), ("old", old))}  # fmt: skip
    words = word_of(new["verdict"]), word_of(old["verdict"])
    limits = [{name: c["limit"] for name, c in page["verdict"]["checks"].items()} for page in (new, old)]
    return {
        "new": words[0], "old": words[1], "changed": words[0] != words[1],
        "now_failing": sorted(failing["new"] - failing["old"]),
        "no_longer_failing": sorted(failing["old"] - failing["new"]),
        "limits_changed": sorted(k for k in {*limits[0], *limits[1]} if limits[0].get(k) != limits[1].get(k)),
    }  # fmt: skip


def _metrics(new: Output, old: Output) -> dict[str, Pair]:
    a, b = new["hops"]["total"], old["hops"]["total"]
    return {
        metric: {"new": a.get(metric), "old": b.get(metric), "ratio": error_ratio(metric, a.get(metric), b.get(metric))}
        for metric in METRICS
    }


def _task(new: Report, old: Report) -> list[TaskChange]:
    """Task scores of the tasks that both sides have."""
    found: list[TaskChange] = []
    for name, check in sorted(new["verdict"]["checks"].items()):
        before = old["verdict"]["checks"].get(name)
        if before is not None and "score" in check and "score" in before:
            found.append({"name": name, "new": check["score"], "old": before["score"],
                          "change": check["score"] - before["score"],
                          "higher_is_better": check["higher_is_better"]})  # fmt: skip
    return found


def _pair(new: float, old: float) -> Pair:
    return {"new": new, "old": old, "ratio": new / old if old else None}


def _shares(new: Mapping[str, float], old: Mapping[str, float]) -> dict[str, Shares]:
    """Shares of the multiply-accumulates by dtype."""
    return {dtype: {"new": new.get(dtype, 0.0), "old": old.get(dtype, 0.0)} for dtype in sorted({*new, *old})}


def compare_layers(new: ReportedLayers | None, old: ReportedLayers | None) -> LayersChange | None:
    """The first layer, in topological order, whose cumulative error moved; None where a side has no layers.

    It moved if one of the two errors is more than LAYER_FACTOR times the other and above the rounding of its dtype.
    """
    if not new or not old:
        return None
    before = {row["name"]: row for row in old["rows"]}
    both = [(row, before[row["name"]]) for row in new["rows"] if row["name"] in before]
    moved = [found for a, b in both if (found := _moved(a, b)) is not None]
    paths = [next((jump["path"] for jump in page["jumps"].get("total", ())), None) for page in (new, old)]
    return {
        "compared": len(both), "only_new": len(new["rows"]) - len(both), "only_old": len(old["rows"]) - len(both),
        "moved": len(moved), "first": moved[0] if moved else None,
        "jump": {"new": paths[0], "old": paths[1], "change": _jump_change(paths[0], paths[1])},
    }  # fmt: skip


def _moved(new: LayerRow, old: LayerRow) -> MovedLayer | None:
    a, b = (row["cumulative"].get("total") for row in (new, old))
    if a is None or b is None:
        return None
    broken = bool(a["nonfinite"]) != bool(b["nonfinite"])
    x, y = (float(side["nrmse"] or 0.0) for side in (a, b))
    dtype = (new if x >= y else old)["dtype"]
    if not broken and (max(x, y) <= LAYER_FACTOR * min(x, y) or max(x, y) <= floor(dtype)):
        return None
    return {
        "name": new["name"], "path": new["path"], "index": new["index"], "type": new["type"], "dtype": new["dtype"],
        "new": a["nrmse"], "old": b["nrmse"], "ratio": error_ratio("rmse", a["nrmse"], b["nrmse"]),
        "nonfinite": broken,
    }  # fmt: skip


def _jump_change(new: str | None, old: str | None) -> Change:
    if new == old:
        return "none" if new is None else "same"
    return "vanished" if new is None else "appeared" if old is None else "elsewhere"


def environment(new: Report, old: Report) -> list[Fact]:
    """The facts about how both reports were made, one row each, whether equal or not."""
    sides = [facts(page) for page in (new, old)]
    names = [*sides[0], *(name for name in sides[1] if name not in sides[0])]
    return [
        {"name": name, "new": a, "old": b, "equal": a == b}
        for name in names
        for a, b in [(sides[0].get(name), sides[1].get(name))]
    ]


def facts(page: Report) -> dict[str, str]:
    """The facts about how a report was made: versions, digests, data, and the machine that measured its latency."""
    engine, calibration = page["engine"], page["precision"]["calibration"]
    capabilities = engine["compute_capabilities"]
    found: dict[str, object] = {
        "TensorRT": f"{engine['flavour']} {engine['version']}",
        "compute capabilities": capabilities if isinstance(capabilities, str) else ", ".join(map(str, capabilities)),
        "TF32": "on" if engine["tf32"] else "off",
        "source": page["variant"]["source"],
        "opset": page["variant"]["opset"],
    }
    for side, about in page["runtimes"].items():
        how = [about["executes"], *about.get("providers", []), *([about["emulated"]] if about["emulated"] else [])]
        found[f"{side} run by"] = f"{about['runtime']} {about['version']} ({', '.join(map(str, how))})"
    found["samples"] = page["samples"]
    if calibration:
        chosen = f" ({calibration['chosen']})" if "chosen" in calibration else ""
        found["calibration"] = f"{calibration['algorithm']}{chosen}, {calibration['samples']} samples"
        found["calibration data sha256"] = calibration["sha256"]
    measured = page.get("latency")
    if measured:
        shipped = lowered_side(measured)
        found["latency batch"] = measured["batch"]
        if shipped is not None and shipped["measured"]:
            where: Mapping[str, object] = measured["environment"]
            found |= {
                f"latency {key}": where[key]
                for key in sorted(where)
                if key not in MOMENT and isinstance(where[key], (str, int))
            }
    found["ONNX sha256"], found["engine sha256"] = engine["onnx_sha256"], engine["sha256"]
    return {name: str(value) for name, value in found.items()}
