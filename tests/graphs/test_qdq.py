"""Tests of quantising a graph by QuantizeLinear/DequantizeLinear pairs."""

from __future__ import annotations

from collections.abc import Mapping

import hypothesis.extra.numpy as arrays
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.graphs import Array, constants, copy, graph, node, nodes, run
from trtbuild.base.errors import LowerError
from trtbuild.core.spec import Lowering
from trtbuild.graphs import qdq
from trtbuild.graphs.graph import element_types
from trtbuild.graphs.placement import Placement

OPS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def int8(*kept: str, ops: tuple[str, ...] = OPS) -> Placement:
    """``kept``: names of nodes that are excluded."""
    return Placement(Lowering("int8", "int8", quantize_ops=ops, exclude_scopes=("kept",)), {"kept": kept})


def quantised(
    model: onnx.ModelProto, kept: tuple[str, ...] = (), ranges: Mapping[str, float] | None = None
) -> tuple[onnx.ModelProto, qdq.Quantisation]:
    low = copy(model)
    chosen, _ = qdq.candidates(low.graph, element_types(low), int8(*kept))
    found = ranges or dict.fromkeys(qdq.activations(chosen, low.graph), 4.0)
    return low, qdq.insert(low, chosen, found)


def two_layers() -> onnx.ModelProto:
    return graph(
        "float[N,2] x => float[N,2] y { h = MatMul(x, v) r = Relu(h) p = MatMul(r, w) y = Softmax(p) }",
        v=draw(2, 3),
        w=draw(3, 2),
    )


@pytest.mark.parametrize(
    ("text", "weight", "axis"),
    [
        ("float[1,3,4,4] x => float[1,4,2,2] y { y = Conv(x, w) }", draw(4, 3, 3, 3), 0),
        ("float[1,3,4,4] x => float[1,4,6,6] y { y = ConvTranspose(x, w) }", draw(3, 4, 3, 3), 1),
        ("float[2,3] x => float[2,4] y { y = Gemm(x, w) }", draw(3, 4), 1),
        ("float[2,3] x => float[2,4] y { y = Gemm<transB = 1>(x, w) }", draw(4, 3), 0),
        ("float[4,3] x => float[2,3] y { y = Gemm(w, x) }", draw(2, 4), 0),
        ("float[4,3] x => float[2,3] y { y = Gemm<transA = 1>(w, x) }", draw(4, 2), 1),
        ("float[2,3] x => float[2,4] y { y = MatMul(x, w) }", draw(3, 4), 1),
        ("float[5,2,3] x => float[5,2,4] y { y = MatMul(x, w) }", draw(5, 3, 4), 2),
        ("float[4,3] x => float[2,3] y { y = MatMul(w, x) }", draw(2, 4), 0),
    ],
    ids=[
        "Conv",
        "ConvTranspose",
        "Gemm",
        "Gemm transB",
        "Gemm A",
        "Gemm A transA",
        "MatMul",
        "MatMul batched",
        "MatMul A",
    ],
)
def test_weights_have_one_scale_for_each_output_channel(text: str, weight: Array, axis: int) -> None:
    """The axis is the one that runs over what the operation produces, and the graph runs with it."""
    model = graph(text, w=weight)
    low, report = quantised(model)
    by_shape = [
        array.shape for name, array in constants(low).items() if name.startswith("w/") and name.endswith("scale")
    ]
    feed = draw(*(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim))

    assert report.weights == {"w": weight.shape[axis]}
    assert by_shape == [(weight.shape[axis],)]
    np.testing.assert_allclose(run(low, x=feed)["y"], run(model, x=feed)["y"], atol=0.3)


def test_weights_are_stored_as_int8() -> None:
    """The float32 form is gone, and zero points are all zero, which is all that TensorRT takes."""
    low, _ = quantised(two_layers())
    kinds = constants(low)

    assert {array.dtype.name for name, array in kinds.items() if not name.endswith("scale")} == {"int8"}
    assert not any(array.any() for name, array in kinds.items() if name.endswith("zero_point"))


def test_biases_stay_float32() -> None:
    """TensorRT refuses an int32 DequantizeLinear, and adds a float32 bias without loss."""
    model = graph("float[1,3,4,4] x => float[1,4,2,2] y { y = Conv(x, w, b) }", w=draw(4, 3, 3, 3), b=draw(4))
    low, _ = quantised(model)

    assert node(low, "Conv").input[2] == "b"
    assert "int32" not in {array.dtype.name for array in constants(low).values()}


def test_outputs_are_not_quantised() -> None:
    """A softmax keeps its range; only operands of the chosen operations pass through int8."""
    low, report = quantised(two_layers())
    quantized = [n.input[0] for n in nodes(low) if n.op_type == "QuantizeLinear"]

    assert quantized == list(report.scales) == ["x", "r"]
    assert list(node(low, "Softmax").input) == list(nodes(low)[-2].output)


def test_a_tensor_is_quantised_once_for_all_its_readers() -> None:
    """Two readers share one pair."""
    low, _ = quantised(
        graph("float[1,2] x => float[1,2] y { a = MatMul(x, w) b = MatMul(x, w) y = Add(a, b) }", w=draw(2, 2))
    )

    assert [n.op_type for n in nodes(low)].count("QuantizeLinear") == 1
    assert [n.op_type for n in nodes(low)].count("DequantizeLinear") == 2


def test_one_weight_read_along_two_axes_has_two_forms() -> None:
    """Output channels of one reader are not those of the other."""
    model = graph("float[2,2] x => float[2,2] y { a = MatMul(x, w) y = Gemm<transB = 1>(a, w) }", w=draw(2, 2))
    low, _ = quantised(model)

    assert {name for name in constants(low) if name.endswith("/q")} == {"w/axis0/q", "w/axis1/q"}
    np.testing.assert_allclose(run(low, x=draw(2, 2))["y"], run(model, x=draw(2, 2))["y"], atol=0.3)


def test_a_weight_that_is_read_elsewhere_stays_there_too() -> None:
    """A reader that is not quantised sees the exact values."""
    model = graph("float[2,2] x => float[2,2] y { a = MatMul(x, w) y = Add(a, w) }", w=draw(2, 2))
    low, _ = quantised(model)

    np.testing.assert_array_equal(constants(low)["w"], draw(2, 2))


def test_excluded_nodes_stay_as_they_are() -> None:
    """They are reported as excluded, and compute in float32."""
    model = two_layers()
    _, reasons = qdq.candidates(model.graph, element_types(model), int8("MatMul_0"))
    low, report = quantised(model, kept=("MatMul_0",))

    assert reasons == {"MatMul_0": "excluded by overrides"}
    assert list(nodes(low)[0].input) == ["x", "v"]
    assert len(report.scales) == len(report.weights) == 1


def test_what_cannot_be_int8_says_why() -> None:
    """Other types and constant operands are not candidates."""
    model = graph(
        """double[2,2] x, float[2,2] z => double[2,2] y, float[2,2] c, float[2,2] d {
          y = MatMul(x, x) c = MatMul(w, w) d = MatMul(z, w)
        }""",
        w=draw(2, 2),
    )
    chosen, reasons = qdq.candidates(model.graph, element_types(model), int8())

    assert reasons == {"MatMul_0": "not float32", "MatMul_1": "constant"}
    assert [n.name for n in chosen] == ["MatMul_2"]


def test_activations_are_named_once_in_graph_order() -> None:
    """Constants need no calibration."""
    model = two_layers()

    assert qdq.activations(model.graph.node, model.graph) == ["x", "h", "r", "p"]


def test_a_quantised_graph_is_valid_and_close() -> None:
    """It passes the checker, and differs by about half a step of each operand."""
    model = two_layers()
    low, report = quantised(model, ranges={"x": 3.0, "r": 6.0})
    onnx.checker.check_model(low, full_check=True)
    want, have = (run(m, x=draw(64, 2))["y"] for m in (model, low))

    assert report.scales == {"x": 3.0 / 127, "r": 6.0 / 127}
    np.testing.assert_allclose(have, want, atol=0.05)
    assert (have != want).any()


@settings(max_examples=60)
@given(
    arrays.arrays(
        np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-(2.0**100), 2.0**100, width=32)
    ),
    st.integers(0, 1),
)
def test_a_dequantised_weight_is_within_half_a_step(array: Array, axis: int) -> None:
    """Rounding to the nearest level, whatever the magnitudes of the channels."""
    values, scales = qdq.quantise_weight(array, axis)
    steps = np.expand_dims(scales, 1 - axis).astype(np.float64)

    assert (np.abs(values * steps - array) <= steps * (0.5 + 1e-4)).all()
    assert np.abs(values.astype(int)).max() <= 127
    assert (scales > 0).all()


def test_the_largest_weight_of_a_channel_is_the_last_level() -> None:
    """Each channel uses the whole range, -128 excepted."""
    values, scales = qdq.quantise_weight(np.float32([[1, -2], [100, 50]]), 0)

    np.testing.assert_array_equal(values, [[64, -127], [127, 64]])
    np.testing.assert_allclose(scales, [2 / 127, 100 / 127], rtol=1e-6)


def test_a_channel_of_zeros_is_zero() -> None:
    """Nothing is divided by zero, and no scale is denormal."""
    with np.errstate(all="raise"):
        values, scales = qdq.quantise_weight(np.float32([[0, 0], [1, 2]]), 0)

    assert not values[0].any()
    assert scales[0] == np.float32(1 / 127)


def test_a_tensor_that_was_always_zero_has_a_scale() -> None:
    """A dead activation is quantised to zeros, not to NaN."""
    low, _ = quantised(two_layers(), ranges={"x": 0.0, "r": 0.0})

    assert np.isfinite(run(low, x=np.zeros((1, 2), np.float32))["y"]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_without_a_number_are_refused(bad: float) -> None:
    """They would have no scale, and int8 would mean nothing."""
    model = graph("float[N,2] x => float[N,2] y { y = MatMul(x, w) }", w=[[1, bad], [0, 1]])
    with pytest.raises(LowerError, match="weights 'w' have NaN or infinity"):
        qdq.insert(model, list(model.graph.node), {"x": 1.0})
