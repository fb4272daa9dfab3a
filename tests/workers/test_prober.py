"""Tests of asking a real TensorRT about graphs: verdicts, death, limits."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tests.support.graphs import graph
from trtbuild.base.errors import ToolchainError
from trtbuild.workers.prober import Prober, Question, ask_all

HERE = (Path(sys.executable), "tensorrt-rtx", version("tensorrt-rtx"))


@pytest.fixture
def prober() -> Iterator[Prober]:
    with Prober(*HERE) as made:
        yield made


@pytest.fixture
def good(tmp_path: Path) -> Question:
    return saved(tmp_path / "good.onnx", "float[2] x => float[2] y { y = Relu(x) }")


def saved(path: Path, text: str) -> Question:
    path.write_bytes(graph(text).SerializeToString())
    return Question(path)


def test_a_graph_that_builds_is_ok(prober: Prober, good: Question) -> None:
    """Also when asked a second time."""
    assert [prober.ask(good).outcome, prober.ask(good).outcome] == ["ok", "ok"]


def test_every_refused_node_is_named(prober: Prober, tmp_path: Path) -> None:
    """Not just the first, with TensorRT's own words."""
    text = "float[2,3,3] x => float[2] d, float[u] u { d = Det(x) r = Relu(x) u = Unique(r) }"
    answer = prober.ask(saved(tmp_path / "bad.onnx", text))

    assert (answer.outcome, answer.stage) == ("parse", "parse")
    assert [c.op_type for c in answer.complaints] == ["Det", "Unique"]
    assert answer.complaints[0].words == "UNSUPPORTED_NODE: refused by checkDet"


def test_an_engine_of_another_type_than_the_graph_is_refused(prober: Prober, tmp_path: Path) -> None:
    """TensorRT computes float64 in float32 without a word."""
    answer = prober.ask(saved(tmp_path / "double.onnx", "double[2] x => double[2] y { y = Relu(x) }"))

    assert (answer.outcome, answer.words) == (
        "misread", ("input 'x' is float64 in the model, but float32 in the engine",)
    )  # fmt: skip


def test_an_input_that_decides_shapes_is_refused(prober: Prober, tmp_path: Path) -> None:
    """Polygraphy would make values up for it, and the engine would be for these alone."""
    answer = prober.ask(saved(tmp_path / "tile.onnx", "float[2] x, int64[1] n => float[m] y { y = Tile(x, n) }"))

    assert answer.outcome == "build" and "the values of input 'n' decide shapes" in answer.words[0]


def test_no_onnx_at_all_is_an_answer(prober: Prober, tmp_path: Path, good: Question) -> None:
    """The process lives on."""
    (tmp_path / "text.onnx").write_text("no graph", "utf-8")

    assert prober.ask(Question(tmp_path / "text.onnx")).outcome == "parse"
    assert prober.ask(good).outcome == "ok"


def test_a_crash_is_an_answer_and_the_next_question_is_answered(good: Question, tmp_path: Path) -> None:
    """The signal and the stage are told; the crash is confirmed in a fresh process."""
    deadly = Prober(_dying_of(signal.SIGSEGV, tmp_path), *HERE[1:])
    with deadly:
        answer = deadly.ask(good)

    assert (answer.outcome, answer.words) == ("crash", ("TensorRT died of SIGSEGV while parsing",))


@pytest.mark.slow
def test_no_answer_within_the_limit_is_an_answer(good: Question, tmp_path: Path) -> None:
    """And no process is left."""
    with Prober(_dying_of(signal.SIGSTOP, tmp_path), *HERE[1:], limit_s=2.5) as slow:
        answer = slow.ask(good)

    assert answer.outcome == "timeout" and answer.words == ("gave no answer within 2.5 s while parsing",)


def test_another_version_than_declared_is_refused(good: Question) -> None:
    """As a step refuses it."""
    with Prober(*HERE[:2], "1.0.0.1") as prober, pytest.raises(ToolchainError, match=r"1\.0\.0\.1 is declared"):
        prober.ask(good)


def test_an_interpreter_that_is_none_says_so(good: Question, tmp_path: Path) -> None:
    """A broken environment is no fault of the graph."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho broken; exit 3\n", "utf-8")
    python.chmod(0o755)
    with Prober(python, *HERE[1:]) as prober, pytest.raises(ToolchainError, match="status 3 and no answer: broken"):
        prober.ask(good)


def test_answers_come_in_the_order_of_the_questions(good: Question, tmp_path: Path) -> None:
    """Whichever process was faster."""
    bad = saved(tmp_path / "bad.onnx", "float[2,3,3] x => float[2] d { d = Det(x) }")
    with Prober(*HERE) as one, Prober(*HERE) as two:
        verdicts = [answer.outcome for answer in ask_all([one, two], [good, bad, good, bad, bad])]

    assert verdicts == ["ok", "parse", "ok", "parse", "parse"]


def test_nothing_is_left_behind(good: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder and no open descriptor."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = os.listdir("/proc/self/fd")
    with Prober(*HERE) as prober:
        prober.ask(good)

    assert not list(tmp_path.glob("trtbuild-child-*")) and len(os.listdir("/proc/self/fd")) == len(before)


def _dying_of(what: signal.Signals, folder: Path) -> Path:
    """An interpreter whose TensorRT sends itself a signal instead of parsing."""
    python = folder / "python"
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import builtins, os, sys\n"
        "original = builtins.__import__\n"
        "def patched(name, *args, **kwargs):\n"
        "    module = original(name, *args, **kwargs)\n"
        "    if name == 'trtbuild.trt.diagnosis':\n"
        "        from trtbuild.trt import api as trt\n"
        f"        trt.parse = lambda *a, **k: os.kill(os.getpid(), {int(what)})\n"
        "    return module\n"
        "builtins.__import__ = patched\n",
        "utf-8",
    )
    python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    return python


def test_a_quantisation_that_the_importer_reads_otherwise_is_refused(prober: Prober, tmp_path: Path) -> None:
    """uint8 becomes int8 with a warning in the log, and no zero point at all, which is uint8 too, without one."""
    for operands in ("s, z", "s"):
        text = f"q = QuantizeLinear(x, {operands}) y = DequantizeLinear(q, {operands})"
        made = graph(f"float[2] x => float[2] y {{ {text} }}", s=0.02, z=np.zeros((), np.uint8))
        (tmp_path / "unsigned.onnx").write_bytes(made.SerializeToString())
        answer = prober.ask(Question(tmp_path / "unsigned.onnx"))

        assert (answer.outcome, len(answer.complaints)) == ("misread", 1)
        assert "it quantises to uint8" in answer.complaints[0].words


def test_warnings_come_with_their_nodes(prober: Prober, tmp_path: Path) -> None:
    """The parser warns without a name; which node it was at is told at the lowest level only."""
    text = "float[2] x => float[2] y { r = RandomUniformLike<seed = 1.0>(x) y = Add(x, r) }"
    answer = prober.ask(saved(tmp_path / "random.onnx", text))

    (warning,) = [w for w in answer.warnings if "seed" in w.words]
    assert (answer.outcome, warning.op_type, warning.stage) == ("ok", "RandomUniformLike", "parse")
    assert prober.ask(saved(tmp_path / "good.onnx", "float[2] x => float[2] y { y = Relu(x) }")).warnings == ()
