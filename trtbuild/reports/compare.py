"""Two report.json documents, new and old, to what changed between them: verdict, numbers, layers, environment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trtbuild.core.verdict import word_of
from trtbuild.layers.jumps import floor
from trtbuild.reports.comparelatency import compare_latency, lowered_side

# Of the statistics of one output (report.json: outputs.*.hops.total); each as old, new and "times the error".
METRICS = (
    "max_abs", "mean_abs", "median_abs", "p90_abs", "p99_abs", "p999_abs", "rmse", "bias", "cosine", "sqnr_db",
    "median_rel", "p99_rel", "max_rel", "argmax_disagreement", "nonfinite_mismatch",
)  # fmt: skip
LAYER_FACTOR = 3.0  # a layer moved when its error is three times more, or three times less
MOMENT = ("load_average", "clock_mhz")  # of the environment: other at every measurement, and no reason for anything
MOVED = 1.1  # an output's error that changes by a tenth is worth a line; less is said in the numbers only
Report = Mapping[str, Any]


def compare(new: Report, old: Report) -> dict[str, Any]:
    """The comparison as data; every ``ratio`` is new / old, and above 1 means more error, time or bytes.

    Args:
        new, old: whole report.json documents (``documents/report.py``), of any two variants.
    """
    made: dict[str, Any] = {
        "new": _who(new),
        "old": _who(old),
        "verdict": _verdict(new, old),
        "deviation": {name: _metrics(new["outputs"][name], old["outputs"][name]) for name in _both(new, old)},
        "outputs_only_new": sorted(set(new["outputs"]) - set(old["outputs"])),
        "outputs_only_old": sorted(set(old["outputs"]) - set(new["outputs"])),
        "task": _task(new, old),
        "latency": compare_latency(new.get("latency"), old.get("latency")),
        "engine_bytes": _pair(new["engine"]["bytes"], old["engine"]["bytes"]),
        "work_share": _shares(new["engine"]["work_share"], old["engine"]["work_share"]),
        "layers": compare_layers(new.get("layers"), old.get("layers")),
        "environment": environment(new, old),
    }
    worst = worst_output(made)
    made["worst_rmse"] = None if worst is None else {"output": worst[0], **worst[1]}
    return {**made, "summary": summary(made)}


def error_ratio(metric: str, new: float | None, old: float | None) -> float | None:
    """How many times the old error the new one is; None where that has no meaning (an old error of 0, a missing one).

    A cosine's error is its distance from 1, a signal-to-noise ratio's is an amplitude, a bias counts by its size.

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


def _who(page: Report) -> dict[str, Any]:
    keys = ("id", "model", "precision", "tensorrt", "runtime", "target", "calibration")
    return {**{key: page["variant"][key] for key in keys}, "passed": word_of(page["verdict"]) == "pass"}


def _both(new: Report, old: Report) -> list[str]:
    return sorted(set(new["outputs"]) & set(old["outputs"]))


def _verdict(new: Report, old: Report) -> dict[str, Any]:
    failing = {side: {name for name, c in page["verdict"]["checks"].items() if not c["passed"]}
               for side, page in (("new", new), ("old", old))}  # fmt: skip
    words = {side: word_of(page["verdict"]) for side, page in (("new", new), ("old", old))}
    limits = [{name: c["limit"] for name, c in page["verdict"]["checks"].items()} for page in (new, old)]
    return {
        **words, "changed": words["new"] != words["old"],
        "now_failing": sorted(failing["new"] - failing["old"]),
        "no_longer_failing": sorted(failing["old"] - failing["new"]),
        "limits_changed": sorted(k for k in {*limits[0], *limits[1]} if limits[0].get(k) != limits[1].get(k)),
    }  # fmt: skip


def _metrics(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    a, b = new["hops"]["total"], old["hops"]["total"]
    return {
        metric: {"new": a.get(metric), "old": b.get(metric), "ratio": error_ratio(metric, a.get(metric), b.get(metric))}
        for metric in METRICS
    }


def _task(new: Report, old: Report) -> list[dict[str, Any]]:
    """Scores on labels, of the tasks that both have."""
    found = []
    for name, check in sorted(new["verdict"]["checks"].items()):
        before = old["verdict"]["checks"].get(name, {})
        if "score" in check and "score" in before:
            found.append({"name": name, "new": check["score"], "old": before["score"],
                          "change": check["score"] - before["score"],
                          "higher_is_better": check["higher_is_better"]})  # fmt: skip
    return found


def _pair(new: float, old: float) -> dict[str, Any]:
    return {"new": new, "old": old, "ratio": new / old if old else None}


def _shares(new: Mapping[str, float], old: Mapping[str, float]) -> dict[str, Any]:
    """Share of the multiply-accumulates by dtype."""
    return {dtype: {"new": new.get(dtype, 0.0), "old": old.get(dtype, 0.0)} for dtype in sorted({*new, *old})}


def compare_layers(new: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The first layer, in topological order, whose cumulative error moved; None where a side has no layers.

    It moved when one of the two errors is more than LAYER_FACTOR times the other and above the rounding of its dtype.
    """
    if not new or not old:
        return None
    before = {row["name"]: row for row in old["rows"]}
    both = [(row, before[row["name"]]) for row in new["rows"] if row["name"] in before]
    moved = [found for a, b in both if (found := _moved(a, b)) is not None]
    first = {side: (page["jumps"].get("total") or [None])[0] for side, page in (("new", new), ("old", old))}
    paths = {side: None if jump is None else jump["path"] for side, jump in first.items()}
    return {
        "compared": len(both), "only_new": len(new["rows"]) - len(both), "only_old": len(old["rows"]) - len(both),
        "moved": len(moved), "first": moved[0] if moved else None,
        "jump": {**paths, "change": _jump_change(paths["new"], paths["old"])},
    }  # fmt: skip


def _moved(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any] | None:
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


def _jump_change(new: str | None, old: str | None) -> str:
    if new == old:
        return "none" if new is None else "same"
    return "vanished" if new is None else "appeared" if old is None else "elsewhere"


def environment(new: Report, old: Report) -> list[dict[str, Any]]:
    """What the two were made with, a row each, whether equal or not."""
    sides = [facts(page) for page in (new, old)]
    names = [*sides[0], *(name for name in sides[1] if name not in sides[0])]
    return [
        {"name": name, "new": a, "old": b, "equal": a == b}
        for name in names
        for a, b in [(sides[0].get(name), sides[1].get(name))]
    ]


def facts(page: Report) -> dict[str, str]:
    """What a report was made with: versions, digests, data, and the machine its latency was measured on."""
    engine, calibration = page["engine"], page["precision"]["calibration"]
    capabilities = engine["compute_capabilities"]
    found: dict[str, Any] = {
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
        found["calibration"] = f"{calibration['algorithm']}, {calibration['samples']} samples"
        found["calibration data sha256"] = calibration["sha256"]
    measured = page.get("latency")
    if measured:
        side = lowered_side(measured)
        found["latency batch"] = measured["batch"]
        if side is not None and side["measured"]:
            where = measured["environment"]
            found |= {
                f"latency {key}": where[key]
                for key in sorted(where)
                if key not in MOMENT and isinstance(where[key], (str, int))
            }
    found["ONNX sha256"], found["engine sha256"] = engine["onnx_sha256"], engine["sha256"]
    return {name: str(value) for name, value in found.items()}


def worst_output(comparison: Mapping[str, Any], metric: str = "rmse") -> tuple[str, Mapping[str, Any]] | None:
    """The output whose error grew most, or shrank least; an error that appeared out of none comes first."""

    def grown(name: str) -> tuple[float, str]:
        numbers = comparison["deviation"][name][metric]
        ratio = numbers["ratio"]
        return (ratio if ratio is not None else float("inf") if numbers["new"] else 1.0, name)

    names: Iterable[str] = comparison["deviation"]
    name = max(names, key=grown, default=None)
    return None if name is None else (name, comparison["deviation"][name][metric])


def changes(comparison: Mapping[str, Any]) -> list[str]:
    """What a person has to know, a phrase each, the most important first; empty when nothing that counts changed."""
    found = []
    verdict = comparison["verdict"]
    if verdict["changed"]:
        found.append(f"{verdict['old'].upper()} → {verdict['new'].upper()}")
    for label, names in (("now failing", verdict["now_failing"]), ("no longer failing", verdict["no_longer_failing"])):
        if names:
            found.append(f"{label}: {_few(names)}")
    for label, key in (("new output", "outputs_only_new"), ("output gone", "outputs_only_old")):
        if comparison[key]:
            found.append(f"{label}: {_few(comparison[key])}")
    if (said := _error_change(comparison)) is not None:
        found.append(said)
    for task in comparison["task"]:
        if task["change"]:
            found.append(f"{task['name'].removesuffix(' drop')} {task['old']:.4g} → {task['new']:.4g}")
    latency = comparison["latency"]
    if latency["label"] in ("slower", "faster"):
        found.append(f"p50 {latency['old']['value']:.4g} → {latency['new']['value']:.4g} ms ({latency['label']}, "
                     f"{latency['ratio']['value']:.3g} times)")  # fmt: skip
    if (size := comparison["engine_bytes"]["ratio"]) is not None and not 1 / MOVED <= size <= MOVED:
        found.append(f"engine {size:.3g} times the size")
    if any(abs(share["new"] - share["old"]) > 0.005 for share in comparison["work_share"].values()):
        shares = comparison["work_share"].items()
        found.append("work in " + ", ".join(f"{k} {100 * s['old']:.3g} → {100 * s['new']:.3g} %" for k, s in shares))
    layers = comparison["layers"]
    if layers and layers["first"]:
        found.append(f"first layer that moved: {layers['first']['path']} ({_times(layers['first'])})")
    if layers and layers["jump"]["change"] in ("appeared", "vanished", "elsewhere"):
        jump = layers["jump"]
        found.append(f"first jump {jump['change']}: {jump['new'] if jump['new'] is not None else jump['old']}")
    return found


def output_changes(comparison: Mapping[str, Any]) -> list[str]:
    """What changed in the outputs alone, a phrase each; empty when nothing that counts did."""
    labels = (("new output", "outputs_only_new"), ("output gone", "outputs_only_old"))
    found = [f"{label}: {_few(comparison[key])}" for label, key in labels if comparison[key]]
    for name, metrics in comparison["deviation"].items():
        broken = metrics["nonfinite_mismatch"]
        if broken["new"] != broken["old"]:
            found.append(f"NaN or infinity of {name}: {_short(broken['old'])} → {_short(broken['new'])} elements")
        rmse = metrics["rmse"]
        if _has_moved(rmse):
            found.append(f"RMS error of {name} {_short(rmse['old'])} → {_short(rmse['new'])} ({_times(rmse)})")
    return found


def _has_moved(rmse: Mapping[str, Any]) -> bool:
    return rmse["new"] != rmse["old"] if rmse["ratio"] is None else not 1 / MOVED <= rmse["ratio"] <= MOVED


def _error_change(comparison: Mapping[str, Any]) -> str | None:
    worst = worst_output(comparison)
    if worst is None:
        return None
    name, rmse = worst
    if not _has_moved(rmse):
        return None
    return f"RMS error of {name} {_short(rmse['old'])} → {_short(rmse['new'])} ({_times(rmse)})"


def _times(numbers: Mapping[str, Any]) -> str:
    if numbers.get("nonfinite"):
        return "NaN or infinity on one side only"
    return f"{numbers['ratio']:.3g} times" if numbers["ratio"] is not None else "not comparable as a ratio"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def summary(comparison: Mapping[str, Any]) -> str:
    """One line: who, and what changed, or that nothing did."""
    new, old = comparison["new"]["id"], comparison["old"]["id"]
    who = new if new == old else f"{new} against {old}"
    said = changes(comparison)
    if said:
        return f"{who}: {'; '.join(said)}"
    equal = all(row["equal"] for row in comparison["environment"] if row["name"] == "engine sha256")
    return f"{who}: nothing that counts changed, {'the engine is the same' if equal else 'the engine has other bytes'}"
