"""Tests of the two faults that are seen in values, and of TensorRT's."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tests.support.graphs import graph
from trtbuild.reducing.failure import Failure
from trtbuild.reducing.faults import LoweringFault, SourceFault, TensorrtFault
from trtbuild.reducing.shrinking import shrink
from trtbuild.reducing.subject import lowering
from trtbuild.suite.case import TOLERANCES
from trtbuild.workers.probing import Prober

OVERFLOW = "float[4] x => float[4] y { a = Relu(x) b = Mul(a, c) d = Sqrt(b) y = Neg(d) }"


def half() -> LoweringFault:
    lower = lowering("fp16")
    assert lower is not None
    return LoweringFault(lower, TOLERANCES["fp16"], {"x": np.array([9, 8, 7, 6], np.float32)})


def test_an_overflow_in_half_precision_is_reduced_to_its_node() -> None:
    """Random numbers of the constant's range overflow too."""
    found = shrink(graph(OVERFLOW, c=[60000.0]), half(), {})

    ops = [node.op_type for node in found.model.graph.node]
    assert "Mul" in ops and len(ops) <= 2 and found.kept == ()


def test_a_graph_within_the_tolerance_shows_nothing() -> None:
    """Half precision holds these."""
    assert not half().shows(graph(OVERFLOW, c=[2.0]))


def test_a_part_that_is_better_than_the_whole_is_not_the_fault() -> None:
    """``least`` is a relative error."""
    fault = half()
    fault.least = 0.5

    assert not fault.shows(graph("float[4] x => float[4] y { y = Mul(x, c) }", c=[3000.1]))


def test_values_other_than_the_sources_are_seen() -> None:
    """And only those."""
    feeds, model = {"x": np.array([1.0, 2.0], np.float32)}, graph("float[2] x => float[2] y { y = Neg(x) }")

    assert SourceFault(feeds, {"y": np.array([1.0, 2.0])}, TOLERANCES["fp32"]).shows(model)
    assert not SourceFault(feeds, {"y": np.array([-1.0, -2.0])}, TOLERANCES["fp32"]).shows(model)


def test_tensorrt_is_asked_for_the_same_refusal(tmp_path: Path) -> None:
    """Another operation that is refused is another fault."""
    target = Failure("parse", "parse", "Det", "UNSUPPORTED_NODE refused by checkDet", "")
    with Prober(Path(sys.executable), "tensorrt-rtx", version("tensorrt-rtx")) as prober:
        fault = TensorrtFault(prober.ask, target, frozenset(), tmp_path, {}, False)

        assert fault.shows(graph("float[1,2,2] x => float[1] y { y = Det(x) }"))
        assert not fault.shows(graph("float[4] x => float[n] y { y = Unique(x) }"))
        assert not fault.shows(graph("float[4] x => float[4] y { y = Relu(x) }"))
