"""Tests of whole inspections: planted faults are found in the layer that has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from tests.support.graphs import constants, graph
from tests.support.inspection import blamed, inspected, int8, net, set_constant, weights


def shift_padding(model: onnx.ModelProto) -> None:
    conv = next(n for n in model.graph.node if n.output[0] == "c2")
    del conv.attribute[0].ints[:]
    conv.attribute[0].ints.extend([2, 2, 0, 0])


def test_a_wrongly_exported_operation_is_the_exporters_first_jump(tmp_path: Path) -> None:
    """Its successors are wrong, too, but not by themselves."""
    found = inspected(tmp_path, exported=shift_padding)
    later = next(layer for layer in found["layers"] if layer["name"] == "c3")

    assert blamed(found, "export") == ["c2"]
    assert later["cumulative"]["export"]["nrmse"] > 0.05 and later["local"]["export"]["nrmse"] < 1e-6
    assert found["taps"]["wrongly_mapped"] == {}


def test_perturbed_weights_are_the_first_jump(tmp_path: Path) -> None:
    """One layer of the lowered graph, ten percent of noise."""
    noise = np.random.default_rng(2)
    name = next(n for n in constants(int8(net(), dict.fromkeys(("x", "r0", "r1", "r2"), 4.0))[0]) if n.startswith("w1"))
    found = inspected(tmp_path, lowered=set_constant(name, lambda w: w + noise.normal(0, 12, w.shape)))

    assert blamed(found, "total") == ["c1"]


def test_a_wrong_scale_is_the_first_jump(tmp_path: Path) -> None:
    """Too small by a factor of eight: most of the range is clipped."""

    def wrong(model: onnx.ModelProto) -> None:
        scale = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == "r1").input[1]
        set_constant(scale, lambda s: s / 8)(model)

    assert blamed(inspected(tmp_path, lowered=wrong), "total")[0] == "c2"


def test_a_layer_that_only_amplifies_is_not_blamed(tmp_path: Path) -> None:
    """A softmax over large differences of a quantised product: exact by itself, but far off as it runs."""
    sharp = """float[n,3,12,12] x => float[n,4,12,12] y {
        c0 = Conv <pads=[1,1,1,1]> (x, w0)
        l = Mul(c0, gain)
        y = Softmax <axis = 1> (l)
    }"""
    found = inspected(tmp_path, of=lambda: graph(sharp, **weights(), gain=30000.0))
    softmax = found["layers"][-1]

    before = found["layers"][-2]
    assert softmax["cumulative"]["total"]["nrmse"] > 10 * before["cumulative"]["total"]["nrmse"]
    assert softmax["local"]["total"]["nrmse"] < 1e-6
    assert blamed(found, "total") == []
