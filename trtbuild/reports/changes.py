"""A comparison of two reports for people: phrases, the most important first, and one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trtbuild.core.taskgroups import fall_lines
from trtbuild.documents.comparison import ComparedNumbers, MovedLayer
from trtbuild.documents.deviation import Metric
from trtbuild.documents.enginecomparison import Pair
from trtbuild.reports.compareengine import engine_changes

MOVED = 1.1  # an output's error that changes by a tenth is worth a line; a smaller change shows in the numbers only


def worst_output(comparison: ComparedNumbers, metric: Metric = "rmse") -> tuple[str, Pair] | None:
    """The output whose error grew most, or shrank least; an error where there was none before comes first."""

    def grown(name: str) -> tuple[float, str]:
        numbers = comparison["deviation"][name][metric]
        ratio = numbers["ratio"]
        return (ratio if ratio is not None else float("inf") if numbers["new"] else 1.0, name)

    names: Iterable[str] = comparison["deviation"]
    name = max(names, key=grown, default=None)
    return None if name is None else (name, comparison["deviation"][name][metric])


def changes(comparison: ComparedNumbers) -> list[str]:
    """What a person needs to know, one phrase each, most important first; empty if nothing that counts changed."""
    phrases = []
    verdict = comparison["verdict"]
    if verdict["changed"]:
        phrases.append(f"{verdict['old'].upper()} → {verdict['new'].upper()}")
    for label, names in (("now failing", verdict["now_failing"]), ("no longer failing", verdict["no_longer_failing"])):
        if names:
            phrases.append(f"{label}: {_few(names)}")
    phrases += _outputs(comparison)
    if (said := _error_change(comparison)) is not None:
        phrases.append(said)
    for task in comparison["task"]:
        if task["change"]:
            phrases.append(f"{task['name'].removesuffix(' drop')} {task['old']:.4g} → {task['new']:.4g}")
    if (by_class := comparison["groups"]["compared"]) is not None:
        phrases += fall_lines(by_class)
    latency = comparison["latency"]
    old, new, ratio = latency["old"], latency["new"], latency["ratio"]
    if latency["label"] in ("slower", "faster") and old and new and ratio:
        change = f"{latency['label']}, {ratio['value']:.3g} times"
        phrases.append(f"p50 {old['value']:.4g} → {new['value']:.4g} ms ({change})")
    if (size := comparison["engine_bytes"]["ratio"]) is not None and not 1 / MOVED <= size <= MOVED:
        phrases.append(f"engine {size:.3g} times the size")
    phrases += engine_changes(comparison["compiled"])
    if any(abs(share["new"] - share["old"]) > 0.005 for share in comparison["work_share"].values()):
        shares = comparison["work_share"].items()
        phrases.append("work in " + ", ".join(f"{k} {100 * s['old']:.3g} → {100 * s['new']:.3g} %" for k, s in shares))
    layers = comparison["layers"]
    if layers and layers["first"]:
        phrases.append(f"first layer that moved: {layers['first']['path']} ({_times(layers['first'])})")
    if layers and layers["jump"]["change"] in ("appeared", "vanished", "elsewhere"):
        jump = layers["jump"]
        phrases.append(f"first jump {jump['change']}: {jump['new'] if jump['new'] is not None else jump['old']}")
    return phrases


def output_changes(comparison: ComparedNumbers) -> list[str]:
    """What changed in the outputs alone, one phrase each; empty if nothing that counts did."""
    found = _outputs(comparison)
    for name, metrics in comparison["deviation"].items():
        broken = metrics["nonfinite_mismatch"]
        if broken["new"] != broken["old"]:
            found.append(f"NaN or infinity of {name}: {_short(broken['old'])} → {_short(broken['new'])} elements")
        rmse = metrics["rmse"]
        if _has_moved(rmse):
            found.append(f"RMS error of {name} {_short(rmse['old'])} → {_short(rmse['new'])} ({_times(rmse)})")
    return found


def _outputs(comparison: ComparedNumbers) -> list[str]:
    """Outputs that only one side has."""
    sides = (("new output", comparison["outputs_only_new"]), ("output gone", comparison["outputs_only_old"]))
    return [f"{label}: {_few(names)}" for label, names in sides if names]


def _has_moved(rmse: Pair) -> bool:
    return rmse["new"] != rmse["old"] if rmse["ratio"] is None else not 1 / MOVED <= rmse["ratio"] <= MOVED


def _error_change(comparison: ComparedNumbers) -> str | None:
    worst = worst_output(comparison)
    if worst is None:
        return None
    name, rmse = worst
    if not _has_moved(rmse):
        return None
    return f"RMS error of {name} {_short(rmse['old'])} → {_short(rmse['new'])} ({_times(rmse)})"


def _times(numbers: Pair | MovedLayer) -> str:
    if numbers.get("nonfinite"):
        return "NaN or infinity on one side only"
    return f"{numbers['ratio']:.3g} times" if numbers["ratio"] is not None else "not comparable as a ratio"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def who(comparison: ComparedNumbers) -> str:
    """The ids of the variants that are compared."""
    new, old = comparison["new"]["id"], comparison["old"]["id"]
    return new if new == old else f"{new} against {old}"


def summary(comparison: ComparedNumbers) -> str:
    """One line: which variants, and what changed, or that nothing did."""
    said = changes(comparison)
    if said:
        return f"{who(comparison)}: {'; '.join(said)}"
    equal = all(row["equal"] for row in comparison["environment"] if row["name"] == "engine sha256")
    engine = "the engine is the same" if equal else "the engine differs in bytes"
    return f"{who(comparison)}: nothing that counts changed, {engine}"
