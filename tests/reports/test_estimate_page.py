"""Tests of the estimate's page: it says what it is everywhere, and its picture adds up to its number."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.support import pages
from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import templates
from trtbuild.core.job import Job
from trtbuild.core.spec import Device
from trtbuild.engine import log
from trtbuild.reports import deviation, estimate, layers, overview
from trtbuild.reports.render import render
from trtbuild.steps import estimate as step

DATA = Path(__file__).resolve().parents[1] / "data" / "engine_logs"
L4 = Device("L4", "8.9", 300.0, {"float32": 30.3, "float16": 121.0, "int8": 242.5}, sources={"peak_tops": "data sheet"})
SCOPES = {"nodes": {}, "tensors": {}}


def made(folder: Path, *, compiled_for: tuple[str, ...] = (), supported: tuple[str, ...] = ("8.9",)) -> dict[str, Any]:
    """The step's document for LeNet-5 in int8, as RTX 1.7 compiled it."""
    engine = log.document((DATA / "lenet-int8-rtx-1.7.log").read_text("utf-8"), "build.log")
    (folder / "engine_layers.json").write_text(json.dumps(engine))
    (folder / "scopes.json").write_text(json.dumps(SCOPES))
    params = {"device": asdict(L4), "compiled_for": compiled_for, "supported": supported, "tf32": False}
    inputs = {"engine_layers": str(folder / "engine_layers.json"), "scopes": str(folder / "scopes.json")}
    step.run(Job("estimate", params, inputs, str(folder), str(folder)))
    found: dict[str, Any] = json.loads((folder / "estimate.json").read_text("utf-8"))
    return found


def test_the_steps_document_says_that_nothing_was_measured(tmp_path: Path) -> None:
    """And every layer counts at least its launch, or nothing at all."""
    document = made(tmp_path)

    assert "not measured" in document["says"]
    assert document["total_us"] == pytest.approx(sum(layer["us"] for layer in document["layers"]))
    assert all(layer["us"] >= 2.0 or layer["limit"] == "nothing" for layer in document["layers"])
    assert {layer["type"] for layer in document["layers"] if layer["kind"] == "convolution"} == {"int8"}


def test_a_record_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """The engine step keeps an empty list of layers then; no estimate of nothing."""
    inputs = {name: str(tmp_path / f"{name}.json") for name in ("engine_layers", "scopes")}
    Path(inputs["engine_layers"]).write_text('{"Layers": []}')
    Path(inputs["scopes"]).write_text(json.dumps(SCOPES))
    params = {"device": asdict(L4), "compiled_for": (), "supported": ("8.9",), "tf32": False}

    with pytest.raises(ConfigError, match=r"device: .* could not be read, .*; build without device="):
        step.run(Job("estimate", params, inputs, str(tmp_path), str(tmp_path)))


@pytest.mark.parametrize(
    ("compiled_for", "supported", "says"),
    [
        ((), ("8.6", "8.9"), ""),
        (("8.9",), ("8.6", "8.9"), ""),
        (("8.6",), ("8.6", "8.9"), "compiled for compute capability 8.6; L4 has 8.9 and would run another one"),
        ((), ("8.6", "12.0"), "compiled for the portable set of targets; L4 has 8.9"),
    ],
)
def test_an_engine_for_another_device_is_noted(
    tmp_path: Path, compiled_for: tuple[str, ...], supported: tuple[str, ...], says: str
) -> None:
    """The layers counted are not those that the device would run."""
    notes = made(tmp_path, compiled_for=compiled_for, supported=supported)["notes"]

    assert any(says in note for note in notes) if says else not any("compiled for" in note for note in notes)


def test_the_picture_is_marked_and_adds_up(tmp_path: Path) -> None:
    """One sample of the folded stacks is a microsecond of lower bound."""
    document = made(tmp_path)
    engine = json.loads((tmp_path / "engine_layers.json").read_text("utf-8"))

    files = estimate.files(document, engine["Layers"], SCOPES, "lenet-int8", templates(tmp_path))

    samples = sum(int(line.rpartition(" ")[2]) for line in files["estimate.folded"].splitlines())
    assert samples == pytest.approx(document["total_us"], abs=0.6)
    assert 'class="flame estimate"' in files["estimate.svg"]
    assert "ESTIMATE for L4: lenet-int8" in files["estimate.svg"] and "not measured" in files["estimate.svg"]


@pytest.mark.parametrize("name", ["estimate", "latency"])
def test_a_page_calls_it_an_estimate(tmp_path: Path, name: str) -> None:
    """And says what limits it; the latency page leads with it where nothing was measured."""
    artifacts = pages.artifacts()
    reported = estimate.collect(made(tmp_path, compiled_for=("8.6",)))
    page = overview.collect(pages.VARIANT, artifacts) | {"latency": None, "estimate": reported}
    extra = {"compared": overview.COMPARED, "titles": deviation.TITLES, "hop_names": layers.HOP_NAMES}
    data = {"page": page, "charts": [], "current": name, "pages": [name], **extra}

    text = render(templates(tmp_path), f"{name}.html.j2", data)

    assert "ESTIMATE" in text and "nothing was measured" in text.lower()
    assert "at least" in text and "L4" in text
    assert "The engine was compiled for compute capability 8.6" in text
