"""sweep: the entries of a sweep -> page data of its overview, and all of its pages, written into one folder."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trtbuild.base.text import did_you_mean
from trtbuild.core.verdict import WORDS as VERDICTS
from trtbuild.documents.layers import LayerRow, ReportedLayers
from trtbuild.documents.report import Axis
from trtbuild.documents.sweep import Column, FailureReason, FailureState, SweepEntry, SweepModel, SweepVariant
from trtbuild.reports import sweepcalibrations, sweepcharts, sweepengines, sweeprows, sweeptext, sweepversions
from trtbuild.reports.figure import Chart
from trtbuild.reports.sweepcells import FAILURES, calibrated, column_order, labels, sort_key, variant

SCHEMA_VERSION = 1
SYMBOLS = {"pass": "✔", "fail": "✘", "unjudged": "?", "failed": "⚠", "refused": "⊘", "invalid": "✕", "not built": "○"}
WORDS = {"pass": "pass", "fail": "FAIL", "unjudged": "UNJUDGED", "failed": "failed", "refused": "refused",
         "invalid": "invalid", "not built": "not built"}  # fmt: skip
ALWAYS: tuple[Axis, ...] = ("tensorrt", "precision")
WHERE_VARIED: tuple[Axis, ...] = ("runtime", "target", "calibration")
charts = sweepcharts.charts


class DrawnModel(SweepModel):
    charts: list[Chart]


def collect(entries: Sequence[SweepEntry]) -> dict[str, Any]:
    """Page data (``documents/sweep.py``: Sweep), whatever the order of the entries.

    Args:
        entries: one for each variant: ``id``; the group options ``model``, ``precision``, ``tensorrt``, ``runtime``,
            ``target``, ``calibration``; ``precision_rank`` (the precision's place among others);
            ``state`` ("pass", "fail", "unjudged", "failed": a step broke, "refused": TensorRT or the model said no,
            "invalid": the config allows no such variant, "not built"), ``reason``; ``report`` (its report.json, or
            None), ``folder`` (of the report, relative to the sweep's page, or None), ``baseline`` (an accepted
            report.json, or None).

    Raises:
        ValueError: an entry has an unknown state, or two entries have the same id.
    """
    _check(entries)
    pairs = sorted(
        ((variant(e), e["report"] if e["state"] in VERDICTS else None) for e in entries),
        key=lambda pair: sort_key(pair[0]),
    )
    variants = [found for found, _ in pairs]
    axes = [*ALWAYS, *(axis for axis in WHERE_VARIED if _varies(variants, axis))]
    columns = _columns(variants, axes)
    engines = sweepengines.engines(pairs)
    failures = [v["id"] for state in FAILURES for v in variants if v["state"] == state]
    return {
        "schema_version": SCHEMA_VERSION,
        "counts": {state: sum(v["state"] == state for v in variants) for state in SYMBOLS},
        "axes": axes,
        "columns": columns,
        "models": [
            _model(i, model, variants, columns, axes, engines["lead"]) for i, model in enumerate(_models(variants))
        ],
        "variants": variants,
        "failures": failures,
        "reasons": _reasons(variants),
        "not_built": [v["id"] for v in variants if v["state"] == "not built"],
        "accepted": {
            "changed": [v["id"] for v in variants if v["baseline_changes"]],
            "same": [v["id"] for v in variants if v["against_baseline"] is not None and not v["baseline_changes"]],
            "without": [v["id"] for v in variants if v["engine"] is not None and not v["accepted"]],
        },
        "versions": sweepversions.version_changes(pairs),
        "engines": engines,
        "calibrations": sweepcalibrations.rankings(pairs),
        "environment": sweepversions.environment(variants),
        "warnings": [
            *sweepversions.execution_notes(entry["report"] for entry in entries if entry["report"] is not None),
            *_crowded(variants, axes),
            *sweepversions.unfair(pairs),
        ],
    }


def _check(entries: Sequence[SweepEntry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry["state"] not in SYMBOLS:
            raise ValueError(
                f"{entry['id']}: no such state '{entry['state']}'; {did_you_mean(entry['state'], SYMBOLS)}"
            )
        if entry["id"] in seen:
            raise ValueError(f"{entry['id']} is given twice")
        seen.add(entry["id"])


def _reasons(variants: Sequence[SweepVariant]) -> list[FailureReason]:
    """Failures that no check explains, grouped by reason."""
    groups: dict[tuple[FailureState, str], list[str]] = {}
    for state in FAILURES:
        for v in variants:
            if v["state"] == state and not v["failed_checks"]:
                groups.setdefault((state, v["reason"]), []).append(v["id"])
    return [{"state": state, "reason": reason, "ids": ids} for (state, reason), ids in groups.items()]


def _models(variants: Sequence[SweepVariant]) -> list[str]:
    return list(dict.fromkeys(v["model"] for v in variants))


def _varies(variants: Sequence[SweepVariant], axis: Axis) -> bool:
    return bool(calibrated(variants)) if axis == "calibration" else len({v[axis] for v in variants}) > 1


def _place(v: SweepVariant, axes: Sequence[Axis], several: set[str]) -> tuple[str, ...]:
    return tuple("" if axis == "calibration" and v["precision"] not in several else v[axis] for axis in axes)


def _columns(variants: Sequence[SweepVariant], axes: Sequence[Axis]) -> list[Column]:
    several = calibrated(variants)
    places: dict[tuple[str, ...], None] = {}
    for v in sorted(variants, key=column_order):
        places.setdefault(_place(v, axes, several))
    return [
        {"place": list(place), "tensorrt": place[0], "label": " ".join(part for part in place[1:] if part)}
        for place in places
    ]


def _model(
    index: int, model: str, variants: Sequence[SweepVariant], columns: Sequence[Column], axes: Sequence[Axis],
    engines_lead: bool,
) -> DrawnModel:  # fmt: skip
    several = calibrated(variants)
    own = [v for v in variants if v["model"] == model]
    cells: dict[tuple[str, ...], list[str]] = {}
    for v in own:
        cells.setdefault(_place(v, axes, several), []).append(v["id"])
    return {
        "name": model, "anchor": f"model-{index}",
        "cells": [cells.get(tuple(column["place"]), []) for column in columns],
        "good": all(v["state"] == "pass" for v in own),
        "pages": {}, "charts": sweepcharts.of_model(index, own, engines_lead=engines_lead),
    }  # fmt: skip


def _crowded(variants: Sequence[SweepVariant], axes: Sequence[Axis]) -> list[str]:
    """Cells with several variants: these differ in something that is not an axis of the page."""
    several = calibrated(variants)
    places: dict[tuple[str, ...], list[str]] = {}
    for v in variants:
        places.setdefault((v["model"], *_place(v, axes, several)), []).append(v["id"])
    return [
        f"{', '.join(ids)} share a cell: they differ in an override that is not an axis of this page"
        for ids in places.values()
        if len(ids) > 1
    ]


def slug(name: str) -> str:
    """A file name for a model: its own name where that is safe, else a safe one, made unique by a digest.

    >>> slug("segnet"), slug("a/b")
    ('segnet', 'a_b-c14cddc0')
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return safe if safe == name else f"{safe[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def layer_table(pages: Mapping[str, ReportedLayers]) -> list[dict[str, object]]:
    """A row for each layer of any variant, in the order of the figures; errors by label, None where there is none."""
    known: dict[str, LayerRow] = {}
    for page in sorted(pages.values(), key=lambda page: -len(page["rows"])):  # as reports/layers.py orders its figures
        for row in page["rows"]:
            known.setdefault(row["name"], row)
    totals = [{row["name"]: row["cumulative"].get("total") for row in page["rows"]} for page in pages.values()]
    return [
        {"index": i, "name": name, "path": row["path"], "type": row["type"],
         "errors": [None if (total := errors.get(name)) is None else total["nrmse"] for errors in totals]}
        for i, (name, row) in enumerate(known.items())
    ]  # fmt: skip


def overlays(entries: Sequence[SweepEntry], page: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The pages of each model with several reports: file name, template, data; adds their links to ``page``."""
    reports = {e["id"]: e["report"] for e in entries if e["state"] in VERDICTS and e["report"] is not None}
    by_id = {v["id"]: v for v in page["variants"]}
    for model in page["models"]:
        made: list[tuple[str, str, dict[str, Any]]] = []
        own = [v for v in page["variants"] if v["model"] == model["name"] and v["id"] in reports]
        named = labels(own)
        measured = {named[v["id"]]: reports[v["id"]] for v in own}
        links = {label: by_id[identity]["links"] for identity, label in named.items()}
        about = {"model": model["name"], "links": links, "anchor": model["anchor"], "siblings": model["pages"]}
        inspected = {label: report["layers"] for label, report in measured.items() if "layers" in report}
        if len(inspected) > 1:
            name = model["pages"]["layers"] = f"layers-{slug(model['name'])}.html"
            data = {
                **about,
                "labels": list(inspected),
                "rows": layer_table(inspected),
                "charts": sweepcharts.layer_figures(inspected),
                "jumps": {
                    label: next(iter(found["jumps"].get("export") or found["jumps"].get("total") or ()), None)
                    for label, found in inspected.items()
                },
            }
            made.append((name, "sweep_layers.html.j2", data))
        if len(measured) > 1:
            name = model["pages"]["deviation"] = f"deviation-{slug(model['name'])}.html"
            sections = sweepcharts.deviation_sections(measured)
            figures = [figure["chart"] for section in sections for figure in section["figures"]]
            made.append((name, "sweep_deviation.html.j2", {**about, "sections": sections, "charts": figures}))
        yield from made


def rendered(entries: Sequence[SweepEntry], templates: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Every file of the sweep but plotly.min.js, one by one, the overview last: those of a large sweep are 100 MB."""
    from trtbuild.reports.render import renderer

    page = collect(entries)
    render = renderer(templates)
    shown = {"symbols": SYMBOLS, "words": WORDS}
    for name, template, about in overlays(entries, page):
        yield name, render(template, {**about, **shown, "title": f"{about['model']}: all variants"})
    by_id = {v["id"]: v for v in page["variants"]}
    large = len(entries) > sweeprows.LARGE
    if large:
        page["models"] = [{**model, "charts": []} for model in page["models"]]
    data = {
        "page": page,
        "by_id": by_id,
        "charts": [] if large else charts(page),
        "rows": sweeprows.rows(page["variants"], WORDS) if large else None,
        "most": sweeprows.LARGE // 5 if large else len(entries),
        "column_groups": _groups(page),
        **shown,
        "title": "sweep",
    }
    if large:
        yield "rows.js", render("sweep_rows.js.j2", data)
    yield "sweep.md", sweeptext.markdown(page, SYMBOLS, WORDS)
    yield "sweep.json", json.dumps(_without_charts(page), indent=1, allow_nan=False) + "\n"
    yield "sweep.html", render("sweep.html.j2", data)


def _groups(page: Mapping[str, Any]) -> list[dict[str, object]]:
    """The columns, grouped by TensorRT version."""
    counts: dict[str, int] = {}
    for column in page["columns"]:
        counts[column["tensorrt"]] = counts.get(column["tensorrt"], 0) + 1
    return [{"tensorrt": version, "count": count} for version, count in counts.items()]


def _without_charts(page: Mapping[str, Any]) -> dict[str, Any]:
    models = [{key: value for key, value in model.items() if key != "charts"} for model in page["models"]]
    return {**page, "models": models}


def write(entries: Sequence[SweepEntry], folder: Path, templates: Mapping[str, Path]) -> list[Path]:
    """Write all pages, ``sweep.json``, ``sweep.md`` and ``plotly.min.js``; each file is replaced in one step.

    Equal entries give equal bytes.  Returns the paths, the overview first.
    """
    from plotly.offline import get_plotlyjs

    from trtbuild.base.files import write_atomic

    names = []
    for name, text in itertools.chain([("plotly.min.js", get_plotlyjs())], rendered(entries, templates)):
        write_atomic(folder / name, text.encode())
        names.append(name)
    return [folder / name for name in sorted(names, key=lambda name: (name != "sweep.html", name))]
