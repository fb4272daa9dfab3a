"""Tests of bias correction: which mean errors are found, where they go, and that outputs lose them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, constants, copy, graph, run
from trtbuild.arrays.samples import Samples
from trtbuild.core.spec import Lowering
from trtbuild.graphs import biases, lowered, qdq
from trtbuild.graphs.placement import Placement
from trtbuild.runtimes import calibration

PLACEMENT = Placement(Lowering("int8", "int8", quantize_ops=("Conv", "ConvTranspose", "MatMul", "Gemm")), {})
CONV = "float[N,3,6,6] x => float[N,4,4,4] y { y = Conv(x, w, b) }"


def draw(*shape: int) -> Array:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def prepared(
    model: onnx.ModelProto, x: Array, batch: int = 8, top: float = 1.0
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """The int8 graph with corrected biases, and the errors; every range is so small that much saturates."""
    low = copy(model)
    nodes = lowered.quantised_nodes(low, PLACEMENT)[0]
    ranges = dict.fromkeys(qdq.activations(nodes, low.graph, PLACEMENT), top)
    compared, errors = biases.comparison(low, nodes, ranges, PLACEMENT)
    inputs: Any = {"x": {"dtype": "float32", "shape": [None, *x.shape[1:]]}}
    means = calibration.mean_errors(compared, errors, [Samples({"x": x}, len(x), "data")], inputs, batch)
    assert biases.correct(low, means) == len(nodes)
    lowered.write(low, PLACEMENT, nodes, ranges)
    return low, means


@pytest.mark.parametrize(
    ("text", "shape", "weights"),
    [
        (CONV, (3, 6, 6), {"w": draw(4, 3, 3, 3), "b": draw(4)}),
        ("float[N,3,6,6] x => float[N,4,4,4] y { y = Conv(x, w) }", (3, 6, 6), {"w": draw(4, 3, 3, 3)}),
        ("float[N,3,4,4] x => float[N,4,6,6] y { y = ConvTranspose(x, w) }", (3, 4, 4), {"w": draw(3, 4, 3, 3)}),
        ("float[N,3] x => float[N,4] y { y = Gemm(x, w, b) }", (3,), {"w": draw(3, 4), "b": draw(4)}),
        ("float[N,3] x => float[N,4] y { y = Gemm(x, w, b) }", (3,), {"w": draw(3, 4), "b": np.float32([2])}),
        ("float[N,3] x => float[N,4] y { m = MatMul(x, w) y = Add(m, b) }", (3,), {"w": draw(3, 4), "b": draw(4)}),
        ("float[N,5,3] x => float[N,5,4] y { m = MatMul(x, w) y = Add(b, m)}", (5, 3), {"w": draw(3, 4), "b": draw(4)}),
    ],
    ids=["Conv", "no bias", "ConvTranspose", "Gemm", "one bias for all", "MatMul", "MatMul of rank 3"],
)  # fmt: skip
def test_the_mean_of_every_channel_is_that_of_float32(
    text: str, shape: tuple[int, ...], weights: dict[str, Array]
) -> None:
    """On the samples that it was measured with, whatever saturates."""
    x, model = draw(16, *shape) + 1, graph(text, **weights)
    low, means = prepared(model, x)
    wanted, found = run(model, x=x)["y"], run(low, x=x)["y"]
    axes = tuple(i for i in range(wanted.ndim) if i != (1 if "Conv" in text else wanted.ndim - 1))

    assert max(np.abs(error).max() for error in means.values()) > 0.1
    np.testing.assert_allclose(found.mean(axis=axes), wanted.mean(axis=axes), atol=1e-5)


def test_the_batch_and_the_order_change_nothing() -> None:
    """But for the last bits of a sum."""
    x, model = draw(11, 3, 6, 6), graph(CONV, w=draw(4, 3, 3, 3), b=draw(4))
    corrected = [
        constants(prepared(model, values, batch)[0]) for values, batch in ((x, 1), (x[::-1].copy(), 3), (x, 11))
    ]
    (name,) = (name for name in corrected[0] if name.endswith("corrected_bias"))

    for other in corrected[1:]:
        np.testing.assert_allclose(other[name], corrected[0][name], rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "float[N,3] x, float[N,3] z => float[N,4] y { m = MatMul(x, w) y = Relu(m) }",
        "float[N,3] x => float[N,4] y { m = MatMul(x, w) r = Relu(m) y = Add(m, r) }",
        "float[N,3] x => float[N,4] y { y = Gemm<beta = 0.5>(x, w, b) }",
    ],
    ids=["no addition", "two readers", "a scaled bias"],
)
def test_what_has_no_place_for_a_bias_is_left_alone(text: str) -> None:
    """An addition of its own would stand between a product and what it fuses with."""
    model = graph(text, w=draw(3, 4), **({"b": draw(4)} if "b)" in text else {}))
    nodes = lowered.quantised_nodes(model, PLACEMENT)[0]

    assert (
        biases.comparison(model, nodes, dict.fromkeys(qdq.activations(nodes, model.graph, PLACEMENT), 1.0), PLACEMENT)[
            1
        ]
        == []
    )
    assert biases.correct(model, {node.name: draw(4) for node in nodes}) == 0


def test_a_bias_that_several_share_is_corrected_for_each() -> None:
    """Each gets one of its own."""
    text = "float[N,3] x => float[N,4] y { g = Gemm(x, w, b) h = Gemm(x, v, b) y = Add(g, h) }"
    x = draw(16, 3) + 1
    low, means = prepared(graph(text, w=draw(3, 4), v=-2 * draw(3, 4), b=draw(4)), x)

    assert len(means) == 2 and sum(name.endswith("corrected_bias") for name in constants(low)) == 2
