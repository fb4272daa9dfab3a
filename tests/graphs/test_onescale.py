"""Tests of one scale for a convolution's weights, with a multiplication by channel behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, constants, copy, graph, node, nodes, run
from trtbuild.core.spec import Lowering
from trtbuild.graphs import onescale, qdq
from trtbuild.graphs.graph import element_types
from trtbuild.graphs.placement import Placement


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def quantised(text: str, largest: float = 4.0, **values: Any) -> onnx.ModelProto:
    model = graph(text, **values)
    placement = Placement(Lowering("int8", "int8", quantize_ops=("Conv",), quantize_depthwise=True))
    chosen, _ = qdq.candidates(model.graph, element_types(model), placement)
    qdq.insert(model, chosen, dict.fromkeys(qdq.activations(chosen, model.graph), largest))
    return model


def shared(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    low = copy(model)
    found = onescale.share(low, {one.name for one in nodes(model)})
    onnx.checker.check_model(low)
    return low, found.by_channel


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("float[1,3,5,5] x => float[1,4,3,3] y { y = Conv(x, w) }", {"w": draw(4, 3, 3, 3)}),
        ("float[1,3,5,5] x => float[1,4,3,3] y { y = Conv(x, w, b) }", {"w": draw(4, 3, 3, 3), "b": draw(4)}),
        ("float[1,3,9] x => float[1,4,7] y { y = Conv(x, w, b) }", {"w": draw(4, 3, 3), "b": draw(4)}),
        ("float[1,4,5,5] x => float[1,4,3,3] y { y = Conv<group = 4>(x, w) }", {"w": draw(4, 1, 3, 3)}),
        ("float[1,3,5,5] x => float[1,4,3,3] y { r = Conv(x, w, b) y = Relu(r) }",
         {"w": draw(4, 3, 3, 3) * np.array([1, 0.01, 3, 0], np.float32).reshape(4, 1, 1, 1), "b": draw(4)}),
    ],
    ids=["plain", "bias", "one dimension", "depthwise", "unequal channels, one of them zero"],
)  # fmt: skip
def test_values_stay(text: str, values: dict[str, Array]) -> None:
    """The result keeps its name and its values, the weights are the same integers, and their scale is one number."""
    model = quantised(text, **values)
    low, kept = shared(model)
    x = draw(*(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim), seed=1)

    assert not kept
    assert next(a for n, a in constants(low).items() if n.endswith("/weights/scale")).shape == ()
    np.testing.assert_array_equal(constants(low)["w/axis0/q"], constants(model)["w/axis0/q"])
    np.testing.assert_allclose(run(low, x=x)["y"], run(model, x=x)["y"], rtol=1e-5, atol=1e-5)


def test_no_intermediate_result_leaves_float16() -> None:
    """Before the multiplication by channel, results are as large as if every channel had the largest weights."""
    weights = np.full((2, 64, 3, 3), 8.0, np.float32)
    weights[1] *= 1e-3
    low, _ = shared(quantised("float[1,64,3,3] x => float[1,2,1,1] y { y = Conv(x, w) }", 900.0, w=weights))
    low.graph.output.append(onnx.helper.make_tensor_value_info("y/by_tensor", onnx.TensorProto.FLOAT, None))
    largest = run(low, x=np.full((1, 64, 3, 3), 2000.0, np.float32))["y/by_tensor"]

    assert 65504 / 2 <= np.abs(largest).max() <= 65504


def test_shared_weights_are_dequantised_once() -> None:
    low, _ = shared(quantised(
        "float[1,3,5,5] x => float[1,4,5,5] y { a = Conv(x, w) b = Conv(x, w) y = Add(a, b) }", w=draw(4, 3, 1, 1)
    ))  # fmt: skip

    assert [one.op_type for one in nodes(low)].count("DequantizeLinear") == 2
    assert [one.op_type for one in nodes(low)].count("Mul") == 2


def test_scales_beyond_float16_stay_by_channel() -> None:
    """A channel 100,000 times smaller would be multiplied by a number with few bits."""
    weights = draw(2, 3, 1, 1) * np.array([1.0, 1e-5], np.float32).reshape(2, 1, 1, 1)
    model = quantised("float[1,3,5,5] x => float[1,2,5,5] y { y = Conv(x, w) }", w=weights)
    low, kept = shared(model)

    assert "too far apart" in kept[node(model, "Conv").name]
    assert low.graph == model.graph


def test_convolutions_in_float_are_left_alone() -> None:
    model = graph("float[1,3,5,5] x => float[1,2,5,5] y { y = Conv(x, w) }", w=draw(2, 3, 1, 1))

    assert shared(model)[0].graph == model.graph
