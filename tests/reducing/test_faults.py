"""Tests of the two faults that are seen in values, and of TensorRT's."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tests.support.graphs import constants, graph
from trtbuild.config.named import packaged_precisions
from trtbuild.core.spec import Calibration, Lowering
from trtbuild.reducing.anonymous import anonymise
from trtbuild.reducing.failure import Failure
from trtbuild.reducing.faults import LoweringFault, SourceFault, TensorrtFault
from trtbuild.reducing.smallgraph import shrink
from trtbuild.suite.case import TOLERANCES
from trtbuild.workers.prober import Prober

PACKAGED = packaged_precisions()
OVERFLOW = "float[4] x => float[4] y { a = Relu(x) b = Mul(a, c) d = Sqrt(b) y = Neg(d) }"


def half() -> LoweringFault:
    return LoweringFault(PACKAGED["fp16"], TOLERANCES["float16"], {"x": np.array([9, 8, 7, 6], np.float32)})


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


PRODUCT = "float[1,4] x => float[1,4] y { a = MatMul(x, v) y = Gemm(a, w) }"
WIDE = np.float32([[1e4, 1e-2, 1, 3]]) * np.ones((4, 1), np.float32)


@pytest.mark.parametrize(
    ("lowering", "quantised"),
    [
        (Lowering("mine", "int8", quantize_ops=("MatMul",)), ["MatMul"]),
        (Lowering("mine", "int8", quantize_ops=("MatMul", "Gemm")), ["MatMul", "Gemm"]),
        (Lowering("mine", "int8", quantize_ops=("MatMul", "Gemm"), exclude_ops=("MatMul",)), ["Gemm"]),
        (Lowering("mine", "int8", quantize_ops=("MatMul", "Gemm"), exclude_scopes=("scope",)), ["MatMul"]),
    ],
    ids=str,
)
def test_a_reduction_lowers_as_the_config_says(lowering: Lowering, quantised: list[str]) -> None:
    """Types to quantise and exclusions; also once the reduction has given the nodes other names."""
    model = graph(PRODUCT, v=WIDE, w=WIDE)
    fault = LoweringFault(lowering, TOLERANCES["int8"], {}, scoped={"scope": frozenset({"Gemm_1"})})

    def ops() -> list[str]:
        lowered = fault.lowered(model)
        read = {out for node in lowered.graph.node if node.op_type == "DequantizeLinear" for out in node.output}
        return [node.op_type for node in lowered.graph.node if read.intersection(node.input) and "Q" not in node.name]

    before = ops()
    fault.rename(anonymise(model))

    assert before == ops() == quantised


def test_the_scales_are_those_of_the_configs_algorithm() -> None:
    """Half of a thousand values lie below the median; the largest is what minmax takes."""
    model = graph("float[1,1000] x => float[1,1] y { y = MatMul(x, w) }", w=np.ones((1000, 1), np.float32))
    feeds = {"x": np.linspace(0, 1, 1000, dtype=np.float32).reshape(1, 1000)}

    def scale(calibration: Calibration) -> float:
        lowering = Lowering("mine", "int8", quantize_ops=("MatMul",), calibration=calibration)
        return float(constants(LoweringFault(lowering, TOLERANCES["int8"], feeds).lowered(model))["x/scale"]) * 127

    assert scale(Calibration("minmax")) == pytest.approx(1)
    assert scale(Calibration("percentile", percentile=50)) == pytest.approx(0.5, abs=0.01)


def test_values_other_than_the_sources_are_seen() -> None:
    """And only those."""
    feeds, model = {"x": np.array([1.0, 2.0], np.float32)}, graph("float[2] x => float[2] y { y = Neg(x) }")

    assert SourceFault(feeds, {"y": np.array([1.0, 2.0])}, TOLERANCES["none"]).shows(model)
    assert not SourceFault(feeds, {"y": np.array([-1.0, -2.0])}, TOLERANCES["none"]).shows(model)


def test_tensorrt_is_asked_for_the_same_refusal(tmp_path: Path) -> None:
    """Another operation that is refused is another fault."""
    target = Failure("parse", "parse", "Det", "UNSUPPORTED_NODE refused by checkDet", "")
    with Prober(Path(sys.executable), "tensorrt-rtx", version("tensorrt-rtx")) as prober:
        fault = TensorrtFault(prober.ask, target, frozenset(), tmp_path, {}, False)

        assert fault.shows(graph("float[1,2,2] x => float[1] y { y = Det(x) }"))
        assert not fault.shows(graph("float[4] x => float[n] y { y = Unique(x) }"))
        assert not fault.shows(graph("float[4] x => float[4] y { y = Relu(x) }"))
