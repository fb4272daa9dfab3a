"""Tests of the engine's page: findings first, every layer with its scope, and a picture that adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import trtbuild.documents
from tests.support.pages import artifacts
from trtbuild.base.packaged import templates
from trtbuild.engine import log
from trtbuild.reports import engine, overview
from trtbuild.reports.render import render

DATA = Path(__file__).resolve().parents[1] / "data" / "engine_logs"
SCHEMA = Path(trtbuild.documents.__path__[0]) / "report.schema.json"
VARIANT = {"id": "lenet-int8", "model": "lenet", "precision": "int8", "tensorrt": "rtx-1.7", "runtime": "onnxruntime",
           "target": "portable", "calibration": "minmax", "source": "keras", "opset": 17,
           "random_validation": False}  # fmt: skip
NODES = {"lenet5_1/c1_1/BiasAdd": {"op": "c", "type": "Conv2D", "name": "lenet5/c1/convolution", "scope": "lenet5/c1"}}


def collected(name: str, version: str = "1.7.1.116") -> dict[str, Any]:
    layers = log.document((DATA / f"{name}.log").read_text("utf-8"), "build.log")
    passport = {"bytes": 1_139_476, "flavour": "tensorrt-rtx", "version": version}
    return engine.collect(layers, {"nodes": NODES, "tensors": {}}, passport)


def drawn(found: dict[str, Any]) -> str:
    page = {**overview.collect(VARIANT, artifacts()), "compiled": found}
    data = {"page": page, "charts": engine.charts(found), "legend": engine.legend(found), "current": "engine",
            "pages": ["overview", "engine"]}  # fmt: skip
    jsonschema.validate(page, json.loads(SCHEMA.read_text("utf-8")))
    return render(templates(SCHEMA.parents[2]), "engine.html.j2", data)


def test_the_page_leads_with_the_findings() -> None:
    """Each with its cost, its advice, and links to its layers; then totals and every layer."""
    text = drawn(collected("lenet-int8-rtx-1.7"))

    assert text.index("5 layer(s) read quantised values and write wider ones") < text.index("The whole engine")
    assert "int8 100.0 %" in text and "float32 100.0 %" in text and "1.14 MB" in text
    assert text.count('id="layer-') == 15 and 'href="#layer-14"' in text
    assert "lenet5/c1/convolution" in text and "(NHWC) Channel major format" in text


def test_a_finding_about_nodes_of_the_graph_names_them() -> None:
    """No layer is left of a pair that the compiler removed."""
    layers = log.document((DATA / "lenet-int8-rtx-1.7.log").read_text("utf-8"), "build.log")
    passport = {"bytes": 1, "flavour": "tensorrt-rtx", "version": "1.7.1.116"}
    made = engine.collect({**layers, "IdlePairs": ["a/q", "b/q"]}, {"nodes": NODES, "tensors": {}}, passport)

    assert "and cost no bytes here: a/q, b/q" in drawn(made)


@pytest.mark.parametrize(
    ("name", "version", "stated"),
    [
        ("lenet-int8-rtx-1.7", "1.7.1.116", True),
        ("lenet-int8-rtx-1.7", "1.6.1.120", False),  # nothing is recorded of it
        ("lenet-fp16-rtx-1.7-dynamic", "1.7.1.116", False),
    ],
)
def test_an_int8_engine_without_an_int8_result_is_compared_with_what_is_recorded(
    name: str, version: str, stated: bool
) -> None:
    """With its own bytes and those of the recorded engines, on the page and in the overview's findings."""
    found = collected(name, version)
    why = found["fp16_instead"]
    lines = [line["text"] for line in overview.findings({**overview.collect(VARIANT, artifacts()), "compiled": found})]

    assert bool(why) is stated
    assert (f"it moves {found['total']['bytes'] / 1e6:.1f} MB" in why) is stated
    assert any("fp16 is the better engine" in line for line in lines) is stated
    assert ("fp16 may be the better engine" in drawn(found)) is stated


def test_the_icicle_adds_up() -> None:
    """Each node's bytes are those of its children; the root's are the engine's."""
    found = collected("lenet-int8-rtx-1.7")
    (chart,) = engine.charts(found)
    trace = chart["data"][0]
    children: dict[str, int] = {}
    for parent, size in zip(trace["parents"], trace["values"], strict=True):
        children[parent] = children.get(parent, 0) + size

    assert children[""] == children["engine"] == found["total"]["bytes"]
    sizes = dict(zip(trace["ids"], trace["values"], strict=True))
    assert {name: sizes[name] for name in children if name} == {name: size for name, size in children.items() if name}
    assert len(set(trace["ids"])) == len(trace["ids"]) and set(trace["parents"]) - {""} <= set(trace["ids"])


def test_types_have_colours_and_the_legend_says_which() -> None:
    """A type without one is grey, and named."""
    assert engine.legend(collected("lenet-int8-rtx-1.7")) == [
        ("float32", engine.COLOURS["float32"]), ("int8", engine.COLOURS["int8"]),
    ]  # fmt: skip
    assert engine.colour({"inputs": [{"type": ""}], "outputs": []}) == engine.OTHER


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("*.log")))
def test_every_version_has_a_page(name: str) -> None:
    """Also where bytes are unknown: no picture then, and the page says so."""
    found = collected(name)
    text = drawn(found)

    assert ("unknown for" in text) == bool(found["total"]["unknown"])
    assert bool(engine.charts(found)) == bool(found["total"]["bytes"])


def test_an_engine_that_nobody_understands_says_so() -> None:
    """The page is there all the same."""
    unread = [{"line": 0, "text": "", "why": "there is no section 'Layers:' in this log"}]
    found = engine.collect({"Layers": [], "Unread": unread, "Memory": {"weights": 1}}, {}, {"bytes": 1})

    assert "no section &#39;Layers:&#39;" in drawn(found)


def test_the_overview_names_the_first_finding() -> None:
    """With its cost; or that nothing stands out."""
    page: dict[str, Any] = {"compiled": collected("lenet-int8-rtx-1.7")}
    assert "only finish a convolution or product" in overview.findings(page)[0]["text"]

    page["compiled"] |= {"findings": [], "fp16_instead": ""}
    assert overview.findings(page) == [{"page": "engine", "text": "Nothing stands out in the compiled engine."}]
