"""What a sweep's variants show together: changes between versions, environment, execution, unfair comparisons."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from trtbuild.documents.report import Axis, Report
from trtbuild.documents.sweep import FactValues, SweepVariant, VersionChanges, VersionStep
from trtbuild.reports.changes import changes
from trtbuild.reports.compare import compare
from trtbuild.reports.comparelatency import conditions
from trtbuild.reports.sweepcells import label, natural

# Facts about one model or one variant, which are not part of the environment.
OF_THE_VARIANT = (
    "source", "opset", "samples", "calibration", "calibration data sha256", "latency batch", "ONNX sha256",
    "engine sha256", "TF32",
)  # fmt: skip
SHOWN_IDS = 3
ALIKE: tuple[Axis, ...] = ("model", "precision", "runtime", "target", "calibration")
GRAPHS_ONLY = (
    "No engine was executed: deviation and latency are those of the graphs that the engines were built from, so "
    "versions that build the same graph show the same numbers. Only the engines can differ: whether one is built, its "
    "size, layers, types, bytes moved and memory."
)
SOME_GRAPHS = (
    "Some engines were not executed: for those, deviation and latency are those of their graphs."
)
Pair = tuple[SweepVariant, Report | None]  # a variant's page data, and its report where it was built


def execution_notes(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a page of several reports must say first; nothing if every engine was executed."""
    found = {_executed(report) for report in reports}
    return [SOME_GRAPHS if True in found else GRAPHS_ONLY] if False in found else []


def _executed(report: Mapping[str, Any]) -> bool:
    """Whether any number in a report.json comes from running the engine itself."""
    return any(about["executes"] == "engine" for about in report["runtimes"].values())


def of_models(pairs: Iterable[tuple[SweepVariant, object]]) -> dict[str, list[SweepVariant]]:
    """The variants of each model."""
    found: dict[str, list[SweepVariant]] = {}
    for one, _ in pairs:
        found.setdefault(one["model"], []).append(one)
    return found


def version_changes(pairs: Sequence[Pair]) -> VersionChanges:
    """Changes between each TensorRT version and the previous one, for variants that agree in everything else.

    Numbers are compared with the last version that was built; ``compared`` counts the steps from version to version.
    """
    series: dict[tuple[str, ...], list[Pair]] = {}
    for found, report in pairs:
        key = tuple(found[axis] for axis in ALIKE)
        series.setdefault(key, []).append((found, report))
    models = of_models(pairs)
    steps = 0
    made: list[VersionStep] = []
    for members in series.values():
        ordered = sorted(members, key=lambda pair: natural(pair[0]["tensorrt"]))
        built: Pair | None = None
        for i, (found, report) in enumerate(ordered):
            if i:
                before = ordered[i - 1][0]
                steps += 1
                what = _what(before, (found, report), built)
                if what:
                    name = label(found, models[found["model"]], ALIKE[1:]) or found["precision"]
                    made.append({"id": found["id"], "model": found["model"], "label": name,
                                 "since": found["tensorrt"], "before": before["tensorrt"], "what": what})  # fmt: skip
            if report is not None:
                built = (found, report)
    return {"compared": steps, "changes": made}


def _what(before: SweepVariant, now: Pair, built: Pair | None) -> list[str]:
    variant, report = now
    phrases = []
    if before["state"] != variant["state"]:
        reason = f": {variant['reason']}" if variant["reason"] and report is None else ""
        phrases.append(f"{before['state']} → {variant['state']}{reason}")
    if report is not None and built is not None and built[1] is not None:
        comparison = compare(report, built[1])
        said = comparison["verdict"]["changed"] and bool(phrases)  # by the state
        what = changes(comparison)[int(said) :]
        apart = "" if built[0] is before else f" (against {built[0]['tensorrt']}, the last that was built)"
        phrases += [phrase + apart for phrase in what]
    return phrases


def environment(variants: Sequence[SweepVariant]) -> list[FactValues]:
    """Every fact with its values and, where there are several, the variants that have each."""
    names: dict[str, dict[str, list[str]]] = {}
    for found in variants:
        for name, value in found["facts"].items():
            if name not in OF_THE_VARIANT:
                names.setdefault(name, {}).setdefault(value, []).append(found["id"])
    return [
        {"name": name, "values": [{"value": value, "count": len(ids), "ids": ids[:SHOWN_IDS]}
                                  for value, ids in sorted(values.items(), key=lambda item: natural(item[0]))]}
        for name, values in names.items()
    ]  # fmt: skip


def unfair(pairs: Sequence[Pair]) -> list[str]:
    """One line for each fact in which cells of one model differ beyond the swept axes."""
    models: dict[str, list[tuple[SweepVariant, Report]]] = {}
    for found, report in pairs:
        if report is not None:
            models.setdefault(found["model"], []).append((found, report))
    return [line for model, members in models.items() for line in _of_model(model, members)]


def _of_model(model: str, members: Sequence[tuple[SweepVariant, Report]]) -> Iterable[str]:
    for what, axes, value in FAIR:
        groups: dict[Hashable, dict[str, list[str]]] = {}
        for found, report in members:
            seen = value(report)
            if seen is not None:
                place = tuple(found[axis] for axis in axes)
                groups.setdefault(place, {}).setdefault(seen, []).append(found["id"])
        for values in groups.values():
            if len(values) > 1:
                facts = "; ".join(f"{_clip(seen)} ({_few(ids)})" for seen, ids in values.items())
                yield f"{model}: compared cells differ in {what}: {facts}"


def _clip(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN_IDS]) + (f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else "")


def _run_by(side: str) -> Callable[[Report], str | None]:
    def value(report: Report) -> str | None:
        about = report["runtimes"].get(side)
        return None if about is None else f"{about['runtime']} {about['version']}, {about['executes']}"

    return value


def _calibration(report: Report) -> str | None:
    found = report["precision"]["calibration"]
    return f"sha256 {found['sha256'][:12]}" if found else None


def _condition(name: str) -> Callable[[Report], str | None]:
    def value(report: Report) -> str | None:
        measured = report.get("latency")
        if not measured or not measured["measured"]:
            return None
        return next(str(seen) for what, seen in conditions(measured) if what == name)

    return value


# A fact that must be equal among variants that agree on these axes, and its value in a report (None: it has none).
FAIR: tuple[tuple[str, tuple[Axis, ...], Callable[[Report], str | None]], ...] = (
    ("the kind of source", (), lambda r: str(r["variant"]["source"])),
    ("opset", (), lambda r: str(r["variant"]["opset"])),
    ("validation samples", (), lambda r: f"{r['samples']}{' random' if r['variant']['random_validation'] else ''}"),
    ("what ran the source model", (), _run_by("reference")),
    ("what ran the exported graph", ("runtime",), _run_by("exported")),
    ("what ran the lowered graph", ("runtime",), _run_by("lowered")),
    ("what ran the engine", ("runtime", "tensorrt"), _run_by("engine")),
    ("calibration data", (), _calibration),
    ("the ONNX file", ("precision", "calibration"), lambda r: f"sha256 {r['engine']['onnx_sha256'][:12]}"),
    ("the builder", ("tensorrt",), lambda r: f"{r['engine']['flavour']} {r['engine']['version']}"),
    ("the device of the latency", ("runtime",), _condition("device")),
    ("the threads of the latency", ("runtime",), _condition("threads")),
    ("the batch of the latency", ("runtime",), _condition("batch")),
)
