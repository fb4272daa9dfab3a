"""Tests of the table of outcomes."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from tests.support.graphs import graph
from trtbuild.bugreport import matrix
from trtbuild.bugreport.matrix import Entry, Row
from trtbuild.config import named
from trtbuild.core.spec import Lowering, Target, Toolchain

HERE = version("tensorrt-rtx")
GOOD, BAD = "float[2] x => float[2] y { y = Relu(x) }", "float[1,2,2] x => float[1] y { y = Det(x) }"


def row(tensorrt: str, verdict: str) -> Row:
    return Row("the failing graph", "fp32", tensorrt, tensorrt, "none", verdict)


def test_the_first_bad_and_last_good_version_are_named() -> None:
    """Versions compare by number, and one that was not tried is neither."""
    rows = [
        row("1.10", "crash"),
        row("1.4", "builds"),
        row("1.9", "builds"),
        Row("g", "fp32", "-", "", "", "not tried"),
    ]
    found = matrix.with_ends(rows)

    assert {(r.first_bad, r.last_good) for r in found[:3]} == {("1.10", "1.9")}
    assert (found[3].first_bad, found[3].last_good) == ("", "")


def test_versions_are_asked_and_absent_ones_said(tmp_path: Path) -> None:
    """A version that is not here is no outcome."""
    versions = {
        "here": Toolchain("tensorrt-rtx", HERE, (f"tensorrt-rtx=={HERE}",), ()),
        "gone": Toolchain("tensorrt-rtx", "0.0.1", ("tensorrt-rtx==0.0.1",), ()),
    }
    entries = [Entry("bad", "fp32", graph(BAD)), Entry("good", "fp32", graph(GOOD)), Entry("x", "int8", why_not="no")]
    rows = matrix.ask(entries, versions, Target(), {}, tf32=False, gpu="none", folder=tmp_path, install=False,
                      scrub=str, say=lambda line: None)  # fmt: skip

    assert [(r.graph, r.tensorrt, r.outcome) for r in rows] == [
        ("bad", "gone", "not tried"), ("bad", "here", "refused by the parser"), ("good", "gone", "not tried"),
        ("good", "here", "builds"), ("x", "-", "not tried"),
    ]  # fmt: skip
    assert sys.executable not in matrix.text(rows)


def test_a_graph_is_tried_in_other_precisions() -> None:
    """One that has nothing to quantise says so."""
    model, packaged = graph("float[2] x => float[2] y { y = Sin(x) }"), named.packaged_precisions()
    entries = matrix.in_precisions("g", model, packaged["fp32"], packaged.values())

    assert [(e.precision, e.model is None) for e in entries] == [
        ("fp32", False), ("fp16", False), ("bf16", False), ("int8", True)
    ]  # fmt: skip
    assert entries[3].why_not == "nothing to quantise"


def test_a_precision_of_the_users_own_has_a_row() -> None:
    """By its name; a graph that is in it already is asked about as it is."""
    model, packaged = graph("float[2] x => float[2] y { y = Sin(x) }"), named.packaged_precisions().values()
    wide = matrix.in_precisions("g", model, Lowering("mine", tf32=True), packaged)
    half = matrix.in_precisions("g", model, Lowering("mine", "float16"), packaged)

    assert [e.precision for e in wide] == ["mine", "fp16", "bf16", "int8"] and [e.precision for e in half] == ["mine"]
