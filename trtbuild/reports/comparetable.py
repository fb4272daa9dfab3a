"""A comparison as a plain-text table, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from trtbuild.base.text import printable
from trtbuild.documents.comparison import Comparison
from trtbuild.documents.enginecomparison import EngineComparison
from trtbuild.reports import compareengine, comparegroups
from trtbuild.reports.changes import changes, who

SCOPES = 8  # in which the engines differ, the largest difference first
ON_ONE_LINE = 2  # changes
ALWAYS = ("max_abs", "rmse")  # metrics shown even where they are equal
WIDEST = 46  # characters of a value; a longer one is cut in the middle (--json has all of it)
Row = tuple[str, str, str, str]


def table(comparison: Mapping[str, Any], scopes: int | None = SCOPES) -> list[str]:
    """The summary, then rows of name, old, new and change.  Control characters in names are escaped.

    Args:
        scopes: how many of the scopes in which the engines differ, and of the classes that did not fall; None for all.
    """
    old, new = comparison["old"], comparison["new"]
    by_class = comparegroups.rows(comparison["groups"], scopes)
    rows = [*_verdict(comparison), *by_class, *_deviation(comparison), *_cost(comparison)]
    rows += [*_engine(comparison["compiled"], scopes), *_layers(comparison)]
    rows += _environment(comparison)
    shown = [tuple(_clip(printable(cell)) for cell in row) for row in [("", "old", "new", "change"), *rows]]
    widths = [max(len(row[i]) for row in shown) for i in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    same = sum(row["equal"] for row in comparison["environment"])
    return [
        *_summary(comparison), *_notes(comparison["compiled"]), "",
        f"old: {printable(old['id'])}", f"new: {printable(new['id'])}", "",
        *lines, "", f"{same} of {len(comparison['environment'])} facts of the environment are equal",
    ]  # fmt: skip


def _verdict(c: Mapping[str, Any]) -> Iterable[Row]:
    verdict = c["verdict"]
    yield "verdict", verdict["old"], verdict["new"], "changed" if verdict["changed"] else "same"
    for name in verdict["now_failing"]:
        yield name, "", "fails", "now failing"
    for name in verdict["no_longer_failing"]:
        yield name, "failed", "", "no longer failing"
    for name in verdict["limits_changed"]:
        yield f"limit of {name}", "", "", "changed"
    for task in c["task"]:
        yield task["name"].removesuffix(" drop"), _n(task["old"]), _n(task["new"]), f"{task['change']:+.4g}"


def _deviation(c: Mapping[str, Any]) -> Iterable[Row]:
    for output, metrics in c["deviation"].items():
        for metric, pair in metrics.items():
            if metric in ALWAYS or pair["old"] != pair["new"]:
                digits = 8 if metric == "cosine" else 4  # whatever changes comes after the nines
                yield f"{output}: {metric}", _n(pair["old"], digits), _n(pair["new"], digits), _times(pair)
    for output in c["outputs_only_old"]:
        yield output, "output", "–", "gone"
    for output in c["outputs_only_new"]:
        yield output, "–", "output", "new"


def _cost(c: Mapping[str, Any]) -> Iterable[Row]:
    latency = c["latency"]
    remark = f"{latency['label']}: {latency['why']}" if latency["why"] else latency["label"]
    if latency["ratio"]:
        remark = f"{latency['ratio']['value']:.3g} times, {remark}"
    yield "p50 (ms)", _interval(latency["old"]), _interval(latency["new"]), remark
    size = c["engine_bytes"]
    yield "engine (bytes)", str(size["old"]), str(size["new"]), _times(size)
    for dtype, share in c["work_share"].items():
        before, now = (f"{100 * share[side]:.3g} %" for side in ("old", "new"))
        yield (
            f"work in {dtype}",
            before,
            now,
            "same" if before == now else f"{100 * (share['new'] - share['old']):+.3g}",
        )


def parts(c: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of a comparison without those of the compiled engines, by what they are about."""
    return {
        "Verdict and deviation": [*_verdict(c), *_deviation(c)],
        "Task by class and slice": comparegroups.rows(c["groups"]), "Latency, size and shares of work": [*_cost(c)],
        "Layers of the graph": [*_layers(c)], "Environment": [*_environment(c)],
    }  # fmt: skip


def _summary(c: Mapping[str, Any]) -> list[str]:
    """One line, or a line for each change where these are too many for one."""
    said = changes(cast("Comparison", c))
    if len(said) <= ON_ONE_LINE:
        return [printable(c["summary"])]
    return [f"{printable(who(cast('Comparison', c)))}:", *(f"  {printable(phrase)}" for phrase in said)]


def _notes(found: EngineComparison) -> list[str]:
    return [f"engines: {printable(note)}" for note in ([found["why"]] if found["why"] else found["notes"])]


def _engine(found: EngineComparison, scopes: int | None) -> Iterable[Row]:
    """The compiled engines: totals other than the plan, which is the engine's size, and the scopes that differ."""
    yield from (row for row in compareengine.total_rows(found) if row[0] != compareengine.TOTALS["plan_bytes"])
    yield from ((f"in {name}", *rest) for name, *rest in compareengine.scope_rows(found, scopes))  # type: ignore[misc]
    rest = len(found["scopes"]) - scopes if scopes is not None else 0
    if rest > 0:
        yield f"in {rest} other scopes (--all)", "", "", "differs"


def _layers(c: Mapping[str, Any]) -> Iterable[Row]:
    layers = c["layers"]
    if layers is None:
        yield "layers", "", "", "not compared: a side has none"
        return
    first, jump = layers["first"], layers["jump"]
    moved = f"{layers['moved']} of {layers['compared']}"
    if first is None:
        yield "layers that moved", "", "", moved
    else:
        yield f"first layer that moved: {first['path']}", _n(first["old"]), _n(first["new"]), _times(first)
        yield "layers that moved", "", "", moved
    if jump["change"] != "none":
        yield "first jump", jump["old"] or "none", jump["new"] or "none", jump["change"]


def _environment(c: Mapping[str, Any]) -> Iterable[Row]:
    for row in c["environment"]:
        if not row["equal"]:
            old, new = (_digest(row["name"], row[side]) for side in ("old", "new"))
            yield row["name"], old, new, "differs"


def _digest(name: str, value: str | None) -> str:
    return "–" if value is None else value[:12] if "sha256" in name else value


def _interval(p50: Mapping[str, Any] | None) -> str:
    if p50 is None:
        return "–"
    bounds = "" if p50["low"] is None else f" [{_n(p50['low'])}, {_n(p50['high'])}]"
    return f"{_n(p50['value'])}{bounds}"


def _times(pair: Mapping[str, Any]) -> str:
    if pair["old"] == pair["new"]:
        return "same"
    return "–" if pair["ratio"] is None else f"{pair['ratio']:.3g} times"


def _n(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}g}"


def _clip(text: str) -> str:
    half = (WIDEST - 1) // 2
    return text if len(text) <= WIDEST else f"{text[:half]}…{text[-half:]}"
