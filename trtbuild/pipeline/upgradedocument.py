"""Pairs of variants, in an old and a new TensorRT version -> go or no-go: the document of an upgrade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

from trtbuild.core.spec import DEFAULT_CALIBRATION
from trtbuild.core.verdict import WORDS, why_unjudged
from trtbuild.documents.comparison import Comparison
from trtbuild.documents.report import Report
from trtbuild.documents.sweep import State, SweepEntry
from trtbuild.reports.changes import changes
from trtbuild.reports.compare import compare
from trtbuild.reports.compareengine import MOVED, engine_changes, grew
from trtbuild.reports.sweepversions import execution_notes

SCHEMA_VERSION = 1
GO: Final = "go"
NO_GO: Final = "no-go"
BUILT = WORDS
NAMED = 3  # models in a line
Decision = Literal["go", "no-go"]


class FirstBadLayer(TypedDict):
    path: str
    type: str
    index: int
    says: str


class UpgradeVariant(TypedDict):
    """One variant in the new version, the state of both, and the decision."""

    id: str
    old_id: str
    model: str
    precision: str
    label: str
    decision: Decision
    reason: str
    old_state: State
    new_state: State
    old_reason: str
    new_reason: str
    compared_with: str
    changes: list[str]
    first_bad_layer: FirstBadLayer | None
    comparison: Comparison | None
    old_folder: str | None
    new_folder: str | None


class UpgradeModel(TypedDict):
    name: str
    decision: Decision
    variants: list[UpgradeVariant]


class UpgradeEngines(TypedDict):
    """The compiled engines of all variants: ids of those that differ, that move more bytes, and that have no layers.

    ``says`` is a line about them; it decides nothing, thresholds do (``validation.engine``).
    """

    compared: int
    differ: list[str]
    more_bytes: list[str]
    not_compared: list[str]
    says: str


class UpgradeDocument(TypedDict):
    """upgrade.json."""

    schema_version: int
    old: str
    new: str
    counts: dict[Decision, int]
    models: list[UpgradeModel]
    engines: UpgradeEngines
    notes: list[str]


@dataclass(frozen=True)
class Pair:
    """One model and precision in both versions, and the accepted report: the old version's, or else the new one's."""

    old: SweepEntry
    new: SweepEntry
    baseline: Report | None = None


def upgrade_document(old: str, new: str, pairs: Iterable[Pair]) -> UpgradeDocument:
    """The content of ``upgrade.json``: a decision for each pair and model, with its reason and what changed.

    A model is go when all its variants are.  The same pairs, in any order, give the same document.
    """
    pairs = list(pairs)
    reports = [side["report"] for pair in pairs for side in (pair.old, pair.new) if side["report"] is not None]
    variants = sorted((_decided(pair) for pair in pairs), key=lambda v: (v["model"], v["precision"], v["id"]))
    models: list[UpgradeModel] = [
        {
            "name": model,
            "decision": GO if all(v["decision"] == GO for v in variants if v["model"] == model) else NO_GO,
            "variants": [v for v in variants if v["model"] == model],
        }
        for model in dict.fromkeys(v["model"] for v in variants)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "old": old,
        "new": new,
        "counts": {
            GO: sum(v["decision"] == GO for v in variants),
            NO_GO: sum(v["decision"] == NO_GO for v in variants),
        },
        "models": models,
        "engines": _engines(variants),
        "notes": execution_notes(reports),
    }


def _engines(variants: Sequence[UpgradeVariant]) -> UpgradeEngines:
    found = [(v, v["comparison"]["compiled"]) for v in variants if v["comparison"] is not None]
    compared = [(v, engines) for v, engines in found if not engines["why"]]
    differ = [v for v, engines in compared if engine_changes(engines)]
    more = [v for v, engines in compared if grew(engines)]
    models = list(dict.fromkeys(v["model"] for v in more))
    up = f"bytes moved more than {round(100 * (MOVED - 1))} % up"
    names = f"{', '.join(models[:NAMED])}{', …' if len(models) > NAMED else ''}"
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}: {up} ({names})" if models else f"none has {up}"
    says = f"engines: {len(differ)} of {len(compared)} differ; {count}"
    return {
        "compared": len(compared), "differ": [v["id"] for v in differ], "more_bytes": [v["id"] for v in more],
        "not_compared": [v["id"] for v, engines in found if engines["why"]], "says": says if compared else "",
    }  # fmt: skip


def passed_ids(document: UpgradeDocument) -> list[str]:
    """Ids, in the new version, of all variants of the models that are go."""
    return [v["id"] for model in document["models"] if model["decision"] == GO for v in model["variants"]]


def lines(document: UpgradeDocument) -> list[str]:
    """The document for a terminal: a line for each variant with its changes below it, and the count."""
    shown = []
    for model in document["models"]:
        for v in model["variants"]:
            shown.append(f"{v['model']} {v['label']}: {v['decision'].upper()}: {v['reason']}")
            shown += [f"  {what}" for what in v["changes"]]
    counts = document["counts"]
    shown += [says] if (says := document["engines"]["says"]) else []
    shown += [f"note: {note}" for note in document["notes"]]
    return [*shown, f"{document['old']} -> {document['new']}: {counts[GO]} go, {counts[NO_GO]} no-go"]


def _decided(pair: Pair) -> UpgradeVariant:
    old, new = pair.old, pair.new
    against, how = _reference(pair)
    comparison = None
    if new["state"] in BUILT and new["report"] is not None and against is not None:
        comparison = compare(new["report"], against)
    return {
        "id": new["id"], "old_id": old["id"], "model": new["model"],
        "precision": new["precision"], "label": _label(new),
        "decision": GO if new["state"] == "pass" else NO_GO,
        "reason": _reason(pair, how if comparison is not None else ""),
        "old_state": old["state"], "new_state": new["state"], "old_reason": old["reason"], "new_reason": new["reason"],
        "compared_with": how if comparison is not None else "",
        "changes": changes(comparison) if comparison is not None else [],
        "first_bad_layer": _first_bad(comparison, new["report"]),
        "comparison": comparison,
        "old_folder": old["folder"], "new_folder": new["folder"],
    }  # fmt: skip


def _label(entry: SweepEntry) -> str:
    """The precision, and every other option that is not the default."""
    usual = {"onnxruntime": entry["runtime"], "portable": entry["target"], DEFAULT_CALIBRATION: entry["calibration"]}
    return " ".join([entry["precision"], *(chosen for default, chosen in usual.items() if chosen != default)])


def _reference(pair: Pair) -> tuple[Report | None, str]:
    """The report to compare with: the old version's, or else the accepted baseline."""
    if pair.old["state"] in BUILT and pair.old["report"] is not None:
        return pair.old["report"], "old version"
    return pair.baseline, "accepted baseline"


def _reason(pair: Pair, compared: str) -> str:
    """Why go or no-go, in one line; a failure of the old version is mentioned, but does not count against the new."""
    old, new = pair.old, pair.new
    if new["state"] == "pass":
        passes = "within its thresholds"
        if old["state"] in ("fail", "unjudged"):
            return f"{passes}; the old version is {'not' if old['state'] == 'fail' else 'unjudged'}"
        if not compared:
            return f"{passes}; nothing to compare with: {_not_built(old, 'the old version')}"
        return (
            passes if compared == "old version" else f"{passes}; compared with the {compared}: {_not_built(old, 'old')}"
        )
    if new["state"] == "unjudged" and new["report"] is not None:
        return f"unjudged: {why_unjudged(new['report']['verdict'])}"
    if new["state"] == "fail":
        before = _failed(old) if old["state"] in BUILT else {}
        failed = [f"{text}{' (failed before too)' if name in before else ''}" for name, text in _failed(new).items()]
        return f"fails {'; '.join(failed) or 'as its verdict says'}"
    return _not_built(new, "the new version")


def _failed(entry: SweepEntry) -> dict[str, str]:
    """Failed checks by name, with the observed values."""
    checks = entry["report"]["verdict"]["checks"] if entry["report"] else {}
    return {
        name: f"{name} {_short(c['observed'])}, limit {_short(c['limit'])}"
        for name, c in sorted(checks.items())
        if not c["passed"]
    }


def _not_built(entry: SweepEntry, who: str) -> str:
    return f"{who}: {entry['state']}{': ' + entry['reason'] if entry['reason'] else ''}"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _first_bad(comparison: Mapping[str, Any] | None, report: Report | None) -> FirstBadLayer | None:
    """The first layer whose error changed; without a comparison, the first where the new version's error jumps."""
    if comparison is not None and comparison["layers"] is not None:
        first = comparison["layers"]["first"]
        if first is None:
            return None
        ratio = "" if first["ratio"] is None else f", {first['ratio']:.3g} times"
        return {"path": first["path"], "type": first["type"], "index": first["index"],
                "says": f"error {_short(first['old'])} → {_short(first['new'])}{ratio}"}  # fmt: skip
    layers = report.get("layers") if report else None
    for jump in layers["jumps"].get("total", []) if layers else []:
        return {"path": jump["path"], "type": jump["type"], "index": jump["index"], "says": jump["says"]}
    return None
