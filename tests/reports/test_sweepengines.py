"""Tests of a sweep's compiled engines: which are compared, where the page shows them, and their pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

import trtbuild.documents
from tests.support.engines import float_engine, int8_engine
from tests.support.sweeps import entry, rendered
from trtbuild.reports import sweep

ROOT = Path(__file__).parents[2]
SCHEMA = Path(trtbuild.documents.__path__[0]) / "sweep.schema.json"
ESTIMATE = {"total_us": 20.0, "device": {"name": "L4"}}


def built(engine: dict[str, Any] | None, **axes: str) -> dict[str, Any]:
    made = entry(**axes)
    if engine is not None:
        made["report"]["compiled"] = engine
    return made


def versions() -> list[dict[str, Any]]:
    """fp16 and int8 in two versions; the older one lists no weights, and does not fuse in fp16 either."""
    return [
        built(float_engine(), precision="fp16"), built(int8_engine(), precision="int8"),
        built(int8_engine(constants_told=False), precision="fp16", tensorrt="rtx-1.4"),
        entry("refused", "no int8", precision="int8", tensorrt="rtx-1.4"),
    ]  # fmt: skip


def differences(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["axis"], one["old"], one["new"]) for one in sweep.collect(entries)["engines"]["differences"]]


def test_engines_are_compared_with_the_previous_version_and_with_fp16() -> None:
    """Those that were built."""
    assert differences(versions()) == [("tensorrt", "rtx-1.4", "rtx-1.7"), ("precision", "fp16", "int8")]


def test_without_fp16_the_widest_precision_is_the_measure() -> None:
    """And of two versions that skip one, the last that was built."""
    made = [built(int8_engine(), precision="int8"), built(float_engine(), precision="fp32")]
    assert differences(made) == [("precision", "fp32", "int8")]


def test_the_page_leads_with_engines_where_nothing_else_differs_between_versions() -> None:
    """No engine ran: all other numbers are the graph's. With one version, the matrix comes first."""
    page = rendered(versions())["sweep.html"]
    single = rendered(versions()[:2])["sweep.html"]

    assert page.index('<h2 id="engines">') < page.index("<h2>Matrix</h2>")
    assert "2 fusions appeared (1 in net/a, 1 in net/b)" in page and "bytes are those of activations alone" in page
    assert single.index("<h2>Matrix</h2>") < single.index('<h2 id="engines">')


def test_pictures_of_engines_count_alike() -> None:
    """Where one version lists no weights, bytes are drawn without them; equal numbers have no picture."""
    (model,) = sweep.collect(versions())["models"]
    engines = {chart["id"]: chart for chart in model["charts"] if chart["id"].startswith("engine-")}

    assert list(engines) == ["engine-activations_moved_bytes-0", "engine-layers-0"]
    assert model["charts"][0]["id"].startswith("engine-")
    fp16 = next(trace for trace in engines["engine-layers-0"]["data"] if trace["name"] == "fp16")
    assert fp16["y"] == [4.0, 3.0]


def test_an_estimate_is_drawn_for_one_device() -> None:
    """Under its own name."""
    made = versions()[:2]
    for one, us in zip(made, (20.0, 30.0), strict=True):
        one["report"]["estimate"] = {**ESTIMATE, "total_us": us}
    (model,) = sweep.collect(made)["models"]

    assert any(chart["title"] == "ESTIMATE for L4: lower bound" for chart in model["charts"])


def test_the_document_fits_its_schema_and_the_summary_names_engines() -> None:
    """Engines that were not recorded are not compared."""
    files = rendered([*versions(), built(None, precision="fp32")])
    page = json.loads(files["sweep.json"])
    jsonschema.validate(page, json.loads(SCHEMA.read_text("utf-8")))

    assert [one["why"] for one in page["engines"]["differences"] if one["why"]] == [
        "the new engine's layers are not recorded"
    ]
    assert "### Engines (2 of 3 comparisons differ)" in files["sweep.md"]
    assert "1 not compared" in files["sweep.html"]
