"""Tests of quantising the shortcuts of residual additions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.support.graphs import copy, graph, nodes, run
from trtbuild.core.spec import Lowering
from trtbuild.graphs import qdq, residuals
from trtbuild.graphs.graph import element_types
from trtbuild.graphs.placement import Placement

W = np.random.default_rng(0).standard_normal((3, 3, 1, 1)).astype(np.float32)


def quantised(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[residuals.Shortcut]]:
    low = copy(model)
    placement = Placement(Lowering("int8", "int8", quantize_ops=("Conv",)))
    chosen, _ = qdq.candidates(low.graph, element_types(low), placement)
    found = residuals.shortcuts(low, {one.name for one in chosen})
    names = {*qdq.activations(chosen, low.graph), *(one.name for one in found)}
    qdq.insert(low, chosen, dict.fromkeys(names, 4.0), found)
    onnx.checker.check_model(low)
    return low, found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = Conv(x, w) y = Add(a, x)", [(1, "x")]),
        ("a = Conv(x, w) y = Add(x, a)", [(0, "x")]),
        ("a = Conv(x, w, b) y = Add(a, x)", [(1, "x")]),
        ("a = Conv(x, w) s = Add(a, c) y = Add(s, x)", [(1, "x")]),
        ("a = Conv(x, w) s = Conv(x, v) y = Add(s, a)", [(1, "a")]),
        ("a = Conv(x, w) r = Relu(a) y = Add(r, x)", []),
        ("a = Conv(x, w) y = Add(a, a)", []),
        ("a = Conv(x, w) y = Add(a, c)", []),
    ],
    ids=["right", "left", "bias inside", "bias apart", "two convolutions", "activation between", "doubled", "bias"],
)
def test_the_other_operand_of_a_sum_is_the_shortcut(body: str, expected: list[tuple[int, str]]) -> None:
    model = graph(f"float[1,3,4,4] x => float[1,3,4,4] y {{ {body} }}", w=W, v=W, b=[1, 2, 3], c=W[:1, :, :1])
    _, found = quantised(model)

    assert [(one.slot, one.name) for one in found] == expected


def test_a_shortcut_shares_the_pair_of_a_convolution() -> None:
    """The tensor is quantised once, for the convolution that reads it and for the sum, and the graph still runs."""
    model = graph("float[1,3,4,4] x => float[1,3,4,4] y { a = Conv(x, w) y = Add(a, x) }", w=W)
    low, _ = quantised(model)
    x = np.random.default_rng(1).uniform(-4, 4, (1, 3, 4, 4)).astype(np.float32)

    assert [one.op_type for one in nodes(low)].count("QuantizeLinear") == 1
    np.testing.assert_allclose(run(low, x=x)["y"], run(model, x=x)["y"], atol=0.3)
