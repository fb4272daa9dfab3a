"""Tests of what to do next about a failed threshold."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import fakes
from trtbuild.building.advice import most_lost, next_step
from trtbuild.building.states import VariantState
from trtbuild.core.explain import Judgement
from trtbuild.core.step import Out

NUMBERS = {"median": 0.0, "max": 0.0, "sqnr_db": 1.0, "cosine": 1.0, "max_abs": 0.0, "rms": 1.0, "nonfinite": 0}


def layer(path: str, dtype: str, error: float | None) -> Any:
    local = {} if error is None else {"total": {**NUMBERS, "nrmse": error, "hidden": None}}
    return {
        "name": f"{path}:0", "tensor": path, "path": path, "scope": path.rpartition("/")[0], "type": "Conv2D",
        "op": "Conv", "members": [], "dtype": dtype, "shape": [1], "proof": "value", "expected_nrmse": None,
        "cumulative": {}, "local": local, "parents": [],
    }  # fmt: skip


LAYERS = [layer("net/a/conv", "int8", 0.01), layer("net/b/conv", "int8", 0.2), layer("net/c/soft", "float32", 9.0)]


def variant(root: Path, failed: str, layers: list[Any] | None = None) -> VariantState:
    taps = {
        "mode": "all", "tensors": 0, "mapped": 0, "compared": 0, "same_value": 0, "proved": 0, "unmapped": [],
        "wrongly_mapped": {}, "undecided": {}, "emulated": [], "outputs": {},
        "frozen_outputs": {"compared": [], "equal": True, "max_abs": 0.0, "nrmse": 0.0},
    }  # fmt: skip
    documents: dict[str, tuple[str, object]] = {
        "validate": ("verdict.json", {"passed": False, "checks": {failed: {
            "observed": 2.0, "limit": 1.0, "passed": False, "share_of_limit": None}}}),
        "report": ("report.json", {}),
    }  # fmt: skip
    if layers is not None:
        documents["layers"] = ("layers.json", {
            "mode": "all", "scope": None, "op": None, "samples": 1, "reference": "TensorFlow", "taps": taps,
            "warnings": [], "layers": layers, "jumps": {},
        })  # fmt: skip
    steps = {kind: fakes.step(kind, outs=(Out(name),), precision="int8") for kind, (name, _) in documents.items()}
    for kind, (name, document) in documents.items():
        (root / steps[kind].folder).mkdir(parents=True)
        (root / steps[kind].folder / name).write_text(json.dumps(document), "utf-8")
    return VariantState("v", root, steps, dict.fromkeys(steps, Judgement("fresh", "agree")))


def test_the_page_the_layer_and_the_override_are_named(tmp_path: Path) -> None:
    said = next_step(variant(tmp_path, "y: cosine", LAYERS))
    assert "/layers.html: net/b/conv (Conv2D, int8) loses most by itself" in said
    assert said.endswith("; try again with 'model.overrides.int8.exclude_scopes=[net/b]'")
    assert "\n" not in said


@pytest.mark.parametrize("kept", [[], ["head"], ["a b", "null", "1e3", 'q"', "it's", "x,y]", "back\\", "a\\\""]])
def test_the_override_is_read_as_what_it_says(tmp_path: Path, kept: list[str]) -> None:
    """By a shell and by Hydra; it keeps what is kept out already."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    state = variant(tmp_path, "y: cosine", LAYERS)
    lower = fakes.step("lower", precision="int8", exclude_scopes=kept)
    judged = {**state.judgements, "lower": Judgement("fresh", "agree")}
    said = next_step(replace(state, roles={**state.roles, "lower": lower}, judgements=judged))
    (word,) = shlex.split(said.partition("try again with ")[2])
    override = OverridesParser.create().parse_override(word)
    assert override.key_or_group == "model.overrides.int8.exclude_scopes"
    assert override.value() == [*kept, "net/b"]


def test_without_layers_the_way_to_them_is_named(tmp_path: Path) -> None:
    assert "layers=default finds the layer" in next_step(variant(tmp_path, "task: top1 drop"))


@pytest.mark.parametrize("failed", ["latency: p99_ms", "export: y: sqnr_db", "engine: plan", "calibration: warnings"])
def test_what_no_override_mends_has_no_advice(tmp_path: Path, failed: str) -> None:
    assert next_step(variant(tmp_path, failed, LAYERS)) == ""


def test_only_layers_of_a_lower_precision_can_be_kept_out_of_it() -> None:
    found = most_lost(LAYERS)
    assert found is not None and found["path"] == "net/b/conv"
    assert most_lost([layer("a/b", "float32", 1.0), layer("a/c", "int8", None), layer("a/d", "int8", 0.0)]) is None
