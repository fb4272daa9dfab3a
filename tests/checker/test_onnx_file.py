"""Tests of checking ONNX files, with a real TensorRT."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import trt_checker
from tests.support.graphs import graph
from trtbuild.cli import main as cli

GOOD = "float[n,4] x => float[n,4] y { y = Relu(x) }"
BAD = "float[2,3,3] x => float[2] d, float[u] u { d = Det(x) r = Relu(x) u = Unique(r) }"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.onnx"
    path.write_bytes(graph(BAD).SerializeToString())
    return path


def test_a_file_that_converts(tmp_path: Path) -> None:
    """With a dynamic batch, for which a profile is assumed."""
    path = tmp_path / "good.onnx"
    path.write_bytes(graph(GOOD).SerializeToString())
    result = trt_checker.check(path)

    assert result and result.outcomes == {"rtx-1.7": "ok"}


def test_a_dropout_that_drops_is_a_warning(tmp_path: Path) -> None:
    """A file that was exported in training mode converts, and computes something else each time."""
    made = graph("float[n,4] x => float[n,4] y { y = Dropout(x, r, t) }", r=np.array(0.5, np.float32), t=np.array(True))
    path = tmp_path / "random.onnx"
    path.write_bytes(made.SerializeToString())
    found = [p for p in trt_checker.check(path).problems if p.severity == "warning"]

    assert [(p.node_type, p.node) for p in found] == [("Dropout", "Dropout_0")]


def test_what_tensorrt_may_compute_differently_is_a_warning(tmp_path: Path) -> None:
    """Its own warnings too, each with advice; the file converts."""
    text = "float[2,4] x => float[2,4] y { d = Cast<to = 1>(c) a = Mul(x, d) y = LogSoftmax(a) }"
    path = tmp_path / "doubtful.onnx"
    path.write_bytes(graph(text, c=np.array([1e300])).SerializeToString())
    result = trt_checker.check(path)

    assert result and {(p.severity, p.node, p.stage, bool(p.advice)) for p in result.problems} == {
        ("warning", "c", "parse", True), ("warning", "LogSoftmax_2", "misread", True),
    }  # fmt: skip


def test_a_graph_that_tensorrt_reads_in_another_way_does_not_convert(tmp_path: Path) -> None:
    """With advice for this operation."""
    text = "float[4] x => float[4] y { y = Clip(x, low, high) }"
    path = tmp_path / "misread.onnx"
    path.write_bytes(graph(text, low=np.array(3, np.float32), high=np.array(1, np.float32)).SerializeToString())
    (problem,) = trt_checker.check(path).problems

    assert (problem.stage, problem.node) == ("misread", "Clip_0")
    assert problem.advice.startswith("exchange the limits")


def test_every_refused_node_of_a_file_is_a_problem(bad: Path) -> None:
    """Nodes without names, too."""
    model = onnx.load(bad)
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, bad)
    result = trt_checker.check(bad)

    assert [(p.node_type, p.stage) for p in result.problems] == [("Det", "parse"), ("Unique", "parse")]
    assert all(p.advice and p.words and p.node for p in result.problems)


def test_weights_beside_the_file_are_found(tmp_path: Path) -> None:
    """External data, relative to the model."""
    model = graph("float[2,64] x => float[2,64] y { y = MatMul(x, w) }", w=np.eye(64, dtype=np.float32))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)

    assert trt_checker.check(str(tmp_path / "m.onnx"))


def test_a_double_input_builds_and_is_refused_all_the_same(tmp_path: Path) -> None:
    """The engine's would be float32, as a build says, too."""
    path = tmp_path / "double.onnx"
    path.write_bytes(graph("double[2] x => double[2] y { y = Relu(x) }").SerializeToString())
    result = trt_checker.check(path)

    assert [(p.stage, p.words) for p in result.problems] == [
        ("misread", "input 'x' is float64 in the model, but float32 in the engine")
    ]
    assert not result and result.outcomes == {"rtx-1.7": "misread"}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_quantisation_that_is_read_otherwise_is_a_problem(precision: str, tmp_path: Path) -> None:
    """At its node, in every precision: also in one that nothing of the graph can be written in."""
    path = tmp_path / "unsigned.onnx"
    made = graph("float[2] x => float[2] y { q = QuantizeLinear(x, s) y = DequantizeLinear(q, s) }", s=0.02)
    path.write_bytes(made.SerializeToString())
    result = trt_checker.check(path, precision=precision)

    first = result.problems[0]
    assert (first.node_type, first.stage, first.versions) == ("QuantizeLinear", "misread", ("rtx-1.7",))
    assert "it quantises to uint8" in first.words and "symmetrically to int8" in first.advice
    assert not result and result.outcomes == {"rtx-1.7": "misread" if precision == "fp16" else "not asked"}


def test_an_input_that_is_a_shape_cannot_be_made_up(tmp_path: Path) -> None:
    """An engine would be for these values alone."""
    path = tmp_path / "reshape.onnx"
    path.write_bytes(graph("float[8] x, int64[2] s => float[a,b] y { y = Reshape(x, s) }").SerializeToString())

    assert trt_checker.check(path).outcomes == {"rtx-1.7": "build"}


@pytest.mark.parametrize(
    ("content", "says"), [(b"no model at all", "not an ONNX model"), (b"", "it has no graph")], ids=["junk", "empty"]
)
def test_what_is_no_model_is_said_and_not_raised(content: bytes, says: str, tmp_path: Path) -> None:
    """Unless it is asked for."""
    (tmp_path / "x.onnx").write_bytes(content)
    result = trt_checker.check(tmp_path / "x.onnx")

    assert not result and says in result.error and result.problems == () and result.exit_status == 4


def test_the_assertion_fails_with_every_problem(bad: Path) -> None:
    """In the message, for a test's report."""
    with pytest.raises(AssertionError, match=r"(?s)2 problems.*Det.*Unique"):
        trt_checker.assert_converts(bad)


def test_the_verb_prints_problems_and_writes_sarif(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 4: the model or TensorRT said no."""
    sarif = bad.with_suffix(".sarif")

    assert cli.run(["check", str(bad), "--json", "--sarif", str(sarif)]) == 4
    assert [p["node_type"] for p in json.loads(capsys.readouterr().out)["problems"]] == ["Det", "Unique"]
    assert [r["ruleId"] for r in json.loads(sarif.read_text())["runs"][0]["results"]] == ["parse/Det", "parse/Unique"]


def test_the_verb_takes_a_precision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a path, this and the version are all there is to choose."""
    (tmp_path / "g.onnx").write_bytes(graph(GOOD).SerializeToString())

    assert cli.run(["check", str(tmp_path / "g.onnx"), "precision=fp16", "tensorrt=rtx-1.7"]) == 0
    assert "converts to TensorRT rtx-1.7 in fp16" in capsys.readouterr().out


def external(folder: Path) -> Path:
    model = graph("float[2,64] x => float[2,64] y { y = MatMul(x, w) }", w=np.eye(64, dtype=np.float32))
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
    return folder / "m.onnx"


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_weights_beside_the_file_are_found_in_every_precision(precision: str, tmp_path: Path) -> None:
    """Also where they are a link, as DVC places files."""
    path = external(tmp_path)
    (tmp_path / "m.bin").rename(tmp_path / "cached")
    (tmp_path / "m.bin").symlink_to(tmp_path / "cached")
    result = trt_checker.check(path, precision=precision)

    assert result, result.error


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_weights_that_are_missing_or_too_short_are_said_by_name(precision: str, tmp_path: Path) -> None:
    """They are not a problem of the network."""
    path = external(tmp_path)
    (tmp_path / "m.bin").write_bytes(bytes(100))
    short = trt_checker.check(path, precision=precision)
    (tmp_path / "m.bin").unlink()
    lost = trt_checker.check(path, precision=precision)

    assert "m.bin is too short: 100 bytes" in short.error and short.exit_status == 2
    assert "m.bin is missing" in lost.error and lost.exit_status == 2


def test_an_answer_that_is_late_says_so(tmp_path: Path) -> None:
    """Nothing speaks against the network."""
    path = tmp_path / "good.onnx"
    path.write_bytes(graph(GOOD).SerializeToString())
    result = trt_checker.check(path, limit_s=0.0001)

    assert not result and result.outcomes == {"rtx-1.7": "timeout"}
    assert "does not convert" not in str(result) and "raise limit_s" in str(result)


def test_a_domain_without_an_opset_import_is_a_problem(tmp_path: Path) -> None:
    """And does not keep the rest from being checked."""
    model = graph(BAD)
    model.graph.node[1].domain = "my.custom"
    path = tmp_path / "custom.onnx"
    path.write_bytes(model.SerializeToString())
    result = trt_checker.check(path)

    assert "my.custom" in result.problems[0].words and not result.error
    assert "Det" in [problem.node_type for problem in result.problems]
