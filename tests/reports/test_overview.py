"""Tests of the page data of one variant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import trtbuild.documents
from tests.core.test_plan import variant
from tests.support.pages import ONNXRUNTIME, VARIANT, artifacts, page, template_data
from tests.support.sweeps import judge
from trtbuild.base.packaged import templates
from trtbuild.core import warning
from trtbuild.core.plan import make_plan
from trtbuild.core.step import Output
from trtbuild.reports.overview import collect, findings, markdown, notes
from trtbuild.reports.render import render
from trtbuild.steps import Declarations

SCHEMA = Path(trtbuild.documents.__path__[0]) / "report.schema.json"


@pytest.mark.parametrize(
    ("moves", "who"), [((1e-6, 1e-2), "precision"), ((0.5, 1e-3), "export"), ((0.0, 0.0), "nobody")]
)
def test_each_output_has_its_guilty_hop(moves: tuple[float, float], who: str) -> None:
    """Judged for every output by its own numbers."""
    assert page(moves=moves)["outputs"]["scores"]["guilty"] == who


def test_the_first_jump_is_on_the_first_page() -> None:
    """And in the merge request."""
    (exporter, jump) = findings(page())

    assert exporter["text"] == "No layer stands out (exporter)."
    assert jump["text"].startswith("First jump (in all): net/conv2 (Conv2D, int8): its own error is 40 times that")
    assert jump["text"] in markdown(page())


def test_page_data_fits_its_schema() -> None:
    """The schema that others rely on describes what is written."""
    jsonschema.validate(json.loads(json.dumps(page(outputs=("b", "a")))), json.loads(SCHEMA.read_text("utf-8")))


def test_outputs_are_sorted() -> None:
    """The order of a dictionary does not reach the page."""
    assert list(page(outputs=("b", "a"))["outputs"]) == ["a", "b"]


def test_an_engine_that_was_not_executed_is_said_first() -> None:
    """The number's origin is the first note."""
    (first,) = notes(VARIANT, artifacts())

    assert first.startswith("The engine was built, not executed")
    assert "onnxruntime 1.31 (CPU)" in first


def test_an_executed_engine_is_what_the_page_is_about() -> None:
    """Its hop in every table, the runtime and the GPU that ran it, and nothing that says it was not."""
    made = page(engine=0.5)
    text = render(templates(SCHEMA.parents[2]), "overview.html.j2", template_data(made, "overview"))
    deviation = render(templates(SCHEMA.parents[2]), "deviation.html.j2", template_data(made, "deviation"))

    jsonschema.validate(json.loads(json.dumps(made)), json.loads(SCHEMA.read_text("utf-8")))
    assert made["engine"]["executed"] is True and not page()["engine"]["executed"]
    assert made["guilty"] == "engine" and "<td>TensorRT</td>" in text
    assert "yes, by tensorrt-rtx 1.7 on a GPU, compute capability 8.9" in text
    assert "Compared: tensorrt-rtx 1.7, executing the engine on a GPU" in deviation
    assert "not executed" not in text + deviation + " ".join(made["notes"])
    assert "| output | export rmse | precision rmse | engine rmse | total rmse | guilty |" in markdown(made)


ZERO = {"what": "2 tensors are zero in all samples: <a>, b", "where": "calibration", "hint": "give real data"}


def test_warnings_of_steps_stand_below_the_verdict() -> None:
    """On the page, in the summary and in report.json, before every note; each says which step found it."""
    made = {**page(), **collect(VARIANT, {**change(artifacts(), "precision/warnings", [ZERO, ZERO]), "scopes": {}})}
    text = render(templates(SCHEMA.parents[2]), "overview.html.j2", template_data(made, "overview"))

    jsonschema.validate(json.loads(json.dumps(made)), json.loads(SCHEMA.read_text("utf-8")))
    assert made["warnings"] == [{**ZERO, "step": "lower"}]
    assert "calibration: 2 tensors are zero in all samples: &lt;a&gt;, b</strong>; give real data" in text
    assert text.index("2 tensors are zero") < text.index("The engine was built, not executed") < text.index("Checks")
    assert markdown(made).splitlines()[2].startswith("- **warning**: calibration: 2 tensors are zero")


def test_every_step_that_may_warn_is_read_by_the_report() -> None:
    """A warning that no report reads would be lost silently; ``ranges`` is a step of some models only."""
    (plan,) = make_plan([variant()], ["report"], Declarations()).variants.values()
    report = plan["report"]
    read = {(source.step.kind, source.name) for source in report.inputs.values() if isinstance(source, Output)}

    planned = {step.kind for step in plan.values()}
    assert read >= {(kind, name) for kind, name in warning.ARTIFACTS.items() if kind in planned}
    assert set(warning.ARTIFACTS) - planned <= {"ranges"}


def test_a_page_of_what_nothing_judged_is_no_pass() -> None:
    """On the first page and in the merge request: the word, and what is missing."""
    made = artifacts()
    judge(made, "unjudged")
    found = {**page(), **collect(VARIANT, made)}
    text = render(templates(SCHEMA.parents[2]), "overview.html.j2", template_data(found, "overview"))

    assert "<strong>UNJUDGED</strong>: no threshold for int8" in text and "PASS" not in text
    assert markdown(found).startswith("## segnet-int8-rtx-1.7-onnxruntime: UNJUDGED\n\nno threshold for int8.")
    jsonschema.validate(json.loads(json.dumps(found)), json.loads(SCHEMA.read_text("utf-8")))


def change(made: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split("/")
    inner = made
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "deviation/runtimes/lowered",
            {**ONNXRUNTIME, "emulated": "bfloat16 by rounding"},
            "it was emulated: bfloat16 by rounding.",
        ),
        ("precision/calibration", {"source": {"kind": "random"}}, "Calibration data is random"),
        ("precision/clamped_constants", {"mask": 1e9}, "Constant mask reaches 1e+09, beyond the format"),
        ("passport/unproved_nodes", ["conv"], "could not be read back from the parsed network: conv."),
        (
            "verdict/not_judged",
            {"latency: p99_ms": {"limit": 5.0, "why": "not measured"}},
            "Not judged: latency: p99_ms (limit 5): not measured.",
        ),
        ("passport/tf32", True, "these numbers do not show what TF32 costs on a GPU."),
    ],
)
def test_what_a_reader_must_know(path: str, value: Any, said: str) -> None:
    """Each doubt about the numbers is one line."""
    found = notes(VARIANT, change(artifacts(), path, value))

    assert [line for line in found if said in line]
    assert len(found) == 2


def test_random_validation_is_said() -> None:
    """It shows arithmetic, not accuracy."""
    assert any(
        "Validation data is random" in line for line in notes({**VARIANT, "random_validation": True}, artifacts())
    )


def test_calibration_from_a_file_is_no_doubt() -> None:
    """Real data needs no warning."""
    assert len(notes(VARIANT, change(artifacts(), "precision/calibration", {"source": "models/c.npz"}))) == 1


def test_the_summary_is_a_table_of_checks_and_one_of_hops() -> None:
    """Verdict, every check, every output, every warning; one final newline."""
    text = markdown(page())

    assert text.startswith("## segnet-int8-rtx-1.7-onnxruntime: PASS\n")
    assert "| scores: max_abs | 0.00781345 | 0.1 | pass |" in text
    assert "| scores | 9.54e-07 | 0.00781 | 0.00781 | precision |" in text
    assert text.endswith("(CPU).\n")


def test_a_failed_check_stands_out() -> None:
    """In the heading and in its row."""
    text = markdown(page(moves=(0.0, 0.5)))

    assert "FAIL\n" in text.splitlines(keepends=True)[0]
    assert "| scores: max_abs | 0.5 | 0.1 | **FAIL** |" in text


def test_missing_numbers_are_none() -> None:
    """An output without a finite element has no statistics."""
    made = artifacts(moves=(float("nan"), 0.0))

    assert "| scores: max_abs | none | 0.1 | **FAIL** |" in markdown(collect(VARIANT, made))
    assert "| scores | none | none | none | export |" in markdown(collect(VARIANT, made))


def test_a_bar_in_a_name_does_not_split_a_cell() -> None:
    """ONNX allows any character in the name of an output."""
    rows = [line for line in markdown(page(outputs=("a|b",))).splitlines() if "a" in line and line.startswith("|")]

    assert all(row.replace("\\|", "").count("|") in (5, 6) for row in rows if "b" in row)


def test_what_is_assumed_of_biases_is_said_where_products_are_int8() -> None:
    """In one sentence, and not of other precisions."""
    said = "Biases are assumed to be float32"
    for dtype, says in (("int8", True), ("float16", False)):
        made = page()
        made["engine"]["compute_nodes"] = {dtype: 3}
        text = render(templates(SCHEMA.parents[2]), "overview.html.j2", template_data(made, "overview"))
        assert (said in text) is says


def test_what_the_compiled_engine_computes_in_is_beside_the_proof() -> None:
    """int8 operands do not imply int8 results; nodes missing from the engine's record are counted."""
    made = page()
    made["engine"]["compiled"]["unplaced"] = ["conv"]
    text = " ".join(render(templates(SCHEMA.parents[2]), "overview.html.j2", template_data(made, "overview")).split())

    assert "operands int8 100.0 %; results float32 100.0 %; not found in it: 1" in text


def test_an_engine_without_promised_nodes_has_an_overview() -> None:
    """A graph of loops has no convolution or product that the record could name."""
    made = page()
    for key in ("operands", "results"):
        del made["engine"]["compiled"][key]

    assert render(templates(SCHEMA.parents[2]), "overview.html.j2", template_data(made, "overview"))
