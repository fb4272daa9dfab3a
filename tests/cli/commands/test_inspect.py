"""Tests of the verb inspect on files and on a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.cli.main import run

DATA = Path(__file__).parents[2] / "data"
LOG = str(DATA / "engine_logs" / "lenet-int8-rtx-1.7.log")
DYNAMIC = str(DATA / "engine_logs" / "lenet-fp16-rtx-1.4-dynamic.log")
EXPORT = str(DATA / "trt_profiles" / "tf_resnet50_qat.graph.json")


def refused(*argv: str) -> str:
    with pytest.raises(TrtbuildError) as caught:
        run(["inspect", *argv])
    assert isinstance(caught.value, ConfigError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_log_is_inspected(capsys: pytest.CaptureFixture[str]) -> None:
    """Findings first, a finding's advice with it."""
    assert run(["inspect", LOG]) == 0
    said = capsys.readouterr().out

    assert "15 layers, 196.552 kB moved" in said and "finding: 5 layer(s) read quantised values" in said
    assert said.index("finding: ") < said.index("by scope") < said.index("\nlayers")


def test_anybodys_layer_file_is_inspected_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document."""
    assert run(["inspect", EXPORT, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)

    assert (made["total"]["layers"], made["total"]["unknown"], made["plan_bytes"]) == (63, 0, None)
    assert [one["kind"] for one in made["findings"]] == ["only_requantises", "only_moves", "wide_results"]


def test_a_dynamic_dimension_counts_as_the_batch_that_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the record does not say it."""
    sizes = []
    for batch in ("1", "8"):
        run(["inspect", DYNAMIC, "--batch", batch, "--json"])
        sizes.append(json.loads(capsys.readouterr().out)["total"])

    assert sizes[1]["bytes"] == 8 * sizes[0]["bytes"] > 0 == sizes[0]["unknown"]


def test_scopes_of_a_build_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a file, which has none of its own."""
    nodes = {"lenet5_1/c1_1/BiasAdd": {"op": "a/b", "type": "Conv2D", "name": "mine/conv", "scope": "mine"}}
    (tmp_path / "scopes.json").write_text(json.dumps({"nodes": nodes, "tensors": {}}), "utf-8")
    run(["inspect", LOG, "--scopes", str(tmp_path / "scopes.json"), "--json"])

    assert "mine" in json.loads(capsys.readouterr().out)["by_scope"]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    """What, where, and what to do."""
    (tmp_path / "x.log").write_text("[I] hello\n", "utf-8")

    assert "no section 'Layers:'" in refused(str(tmp_path / "x.log"))
    assert "cannot read" in refused(str(tmp_path / "missing.json"))
    assert "takes no overrides" in refused(LOG, "precision=int8")
    assert "a layer file or a log" in refused()
    assert "number of samples" in refused(LOG, "--batch", "0")
