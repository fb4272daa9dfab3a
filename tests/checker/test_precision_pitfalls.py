"""Tests of what a precision does to constants, seen without running anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.base.errors import LowerError
from trtbuild.checker.exported import ExportedGraph
from trtbuild.checker.finder import Finder
from trtbuild.checker.options import Options
from trtbuild.checker.precision import pitfalls, refuse_low, slower_than_fp16, written
from trtbuild.config.named import packaged_precisions
from trtbuild.workers.prober import Answer

TEXT = "float[2] x => float[2] y { y = Add(x, c) }"


PACKAGED = packaged_precisions()


def said(precision: str, text: str = TEXT, **constants: object) -> list[str]:
    model = graph(text, **constants)
    return [
        p.words
        for p in pitfalls(model, Options(lowering=PACKAGED[precision]), Finder(ExportedGraph(model, {}, {}), None))
    ]


@pytest.mark.parametrize(
    ("precision", "value", "words"),
    [
        ("fp32", -1e12, None), ("bf16", -1e12, None), ("fp16", -1e12, "the constant -1e+12 overflows fp16"),
        ("fp16", 65504.0, None), ("fp16", 65520.0, "the constant 65520 overflows fp16"),
        ("fp16", 1e-12, "the constant 1e-12 becomes 0 in fp16"), ("fp16", 1e-7, None), ("bf16", 1e-12, None),
        ("fp16", float("-inf"), "a constant is infinite"), ("bf16", 3.4e38, "the constant 3.4e+38 overflows bf16"),
    ],
)  # fmt: skip
def test_constants_that_a_precision_cannot_hold(precision: str, value: float, words: str | None) -> None:
    """The mask and the epsilon of many a network; float32 holds them all."""
    assert said(precision, c=value) == ([words] if words else [])


def test_a_shape_is_no_pitfall() -> None:
    """What is computed from constants alone stays in float32."""
    text = "float[2] x => float[2] y { t = Mul(c, c) i = Cast<to=7>(t) y = Reshape(x, i) }"

    assert said("fp16", text, c=[1e9]) == []


def test_tiny_weights_are_no_pitfall() -> None:
    """Some of many may vanish."""
    assert said("fp16", "float[256] x => float[256] y { y = Mul(x, c) }", c=np.full(256, 1e-12, np.float32)) == []


def test_int8_without_anything_to_quantise_is_refused(tmp_path: Path) -> None:
    """As in a build."""
    model = graph(TEXT, c=[1.0, 2.0])

    with pytest.raises(LowerError, match="nothing to quantise"):
        written(model, Options(lowering=PACKAGED["int8"]), tmp_path, Finder(ExportedGraph(model, {}, {}), None))


def test_int8_tells_what_stays_in_float(tmp_path: Path) -> None:
    """A note: it converts."""
    text = "float[2,8] x => float[2] y { t = MatMul(x, m) y = MatMul(t, v) }"
    model = graph(text, m=np.ones((8, 4), np.float32), v=np.ones(4, np.float32))
    path, notes = written(
        model, Options(lowering=PACKAGED["int8"]), tmp_path, Finder(ExportedGraph(model, {}, {}), None)
    )

    assert [(n.severity, n.node, n.words) for n in notes] == [
        ("note", "MatMul_1", "it is not quantised: a vector has no output channels")
    ]
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(path).graph.node}


def test_a_network_in_half_is_no_float32() -> None:
    """A build refuses it under that name."""
    model = graph("float16[2] x => float16[2] y { y = Relu(x) }")
    (problem,) = refuse_low(model, Options(), Finder(ExportedGraph(model, {}, {}), None))

    assert problem.severity == "error" and "already computes in float16" in problem.words


def test_versions_whose_int8_engines_move_more_are_noted() -> None:
    """For those that take the graph, where something is recorded of them; other precisions have no such note."""
    answers = {"rtx-1.6": Answer("ok"), "rtx-1.7": Answer("ok")}
    notes = slower_than_fp16(Options(lowering=PACKAGED["int8"]), answers)

    assert [(note.severity, note.versions) for note in notes] == [("note", ("rtx-1.7",))]
    assert "fp16 engines moved fewer bytes" in notes[0].words
    assert not slower_than_fp16(Options(lowering=PACKAGED["int8"]), {"rtx-1.7": Answer("build")})
    assert not slower_than_fp16(Options(lowering=PACKAGED["fp16"]), answers)
