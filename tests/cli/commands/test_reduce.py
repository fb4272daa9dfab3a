"""Tests of `trtbuild reduce` on files, with a real TensorRT."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reducing.graphs import secret
from tests.support.graphs import graph
from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.cli import words as cli_words
from trtbuild.cli.commands import reduce as verb
from trtbuild.suite.collection import collect


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(secret().SerializeToString())
    good = graph("float[2] x => float[2] y { y = Relu(x) }")
    (tmp_path / "good.onnx").write_bytes(good.SerializeToString())
    return tmp_path


def reduce(*words: str) -> int:
    return verb.run(cli_words.parse(["reduce", *words]))


def test_a_case_is_written_that_the_suite_collects(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With inputs, reference values, and what it is about."""
    assert reduce("net.onnx", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    case = collect(folder)[document["case"]]

    assert (document["op_type"], document["nodes"], document["nodes_before"]) == ("Det", 1, 6)
    assert case.onnx is not None and case.onnx.with_suffix(".npz").is_file() and list(case.inputs) == ["t0"]
    assert case.title.startswith("Det: refused by the parser")


def test_a_case_is_never_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """Said before the work, where the name is given."""
    assert reduce("net.onnx", "--name", "mine") == 0
    with pytest.raises(ConfigError, match=r"mine.py already exists; choose another name"):
        reduce("net.onnx", "--name", "mine")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["good.onnx"], "good: nothing fails: it parses and builds with tensorrt=rtx-1.7; choose the version"),
        (["net.onnx", "--for", "crash"], "it does not fail in that way, but has: parse; write --for parse"),
        (["net.onnx", "--for", "crsh"], "--for: 'crsh' is not a kind of failure; did you mean 'crash'"),
        (["net.onnx", "--for", "mismatch"], "an ONNX file in float32 has nothing to be compared with"),
        (["net.onnx", "--limit", "soon"], "expected seconds between 0 and 86400, found 'soon'"),
        (["none.onnx"], "none.onnx: No such file"),
        (["net.onnx", "model=a"], "model=a: 'model' is not accepted here"),
        (["net.onnx", "good.onnx"], "expects a model from the config, or an .onnx file"),
        (["net"], "'net' is not an .onnx file"),
    ],
)
def test_words_that_cannot_be_are_one_line(words: list[str], said: str, folder: Path) -> None:
    """Status 2, and no case."""
    with pytest.raises(ConfigError) as caught:
        reduce(*words)

    assert said in str(caught.value) and caught.value.exit_status == 2
    assert not (folder / "suite").exists()


def test_what_is_no_onnx_is_refused(folder: Path) -> None:
    """Status 4, as in every verb."""
    (folder / "text.onnx").write_text("this is no model")
    with pytest.raises(SourceError, match="not an ONNX model"):
        reduce("text.onnx")
