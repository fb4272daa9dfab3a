"""Tests of quantising a graph by QuantizeLinear/DequantizeLinear pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.graphs import Array, constants, copy, graph, node, nodes, run
from trtbuild.arrays.data import Samples
from trtbuild.base.errors import DataError, LowerError
from trtbuild.graphs import qdq
from trtbuild.graphs.graph import element_types
from trtbuild.runtimes import calibration

OPS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
INPUTS = {"x": {"dtype": "float32", "shape": [None, 2]}}


class Recorder:
    """A quantizer that keeps what it sees."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Array]] = {}

    def observe(self, tensor: str, values: Any) -> None:
        self.seen.setdefault(tensor, []).append(np.array(values))

    def ranges(self) -> dict[str, float]:
        return {name: max(float(np.abs(v).max()) for v in values) for name, values in self.seen.items()}


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def quantised(
    model: onnx.ModelProto, kept: tuple[str, ...] = (), ranges: Mapping[str, float] | None = None
) -> tuple[onnx.ModelProto, qdq.Quantised]:
    low = copy(model)
    chosen, _ = qdq.candidates(low.graph, element_types(low), OPS, lambda n: n.name in kept)
    found = ranges or dict.fromkeys(qdq.activations(chosen, low.graph), 4.0)
    return low, qdq.insert(low, chosen, found)


def samples(*rows: list[float]) -> Samples:
    return Samples({"x": np.array(rows, np.float32)}, len(rows), "data")


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
    """They are said to be excluded, and compute in float32."""
    model = two_layers()
    _, reasons = qdq.candidates(model.graph, element_types(model), OPS, lambda n: n.name == "MatMul_0")
    low, report = quantised(model, kept=("MatMul_0",))

    assert reasons == {"MatMul_0": "excluded by overrides"}
    assert list(nodes(low)[0].input) == ["x", "v"]
    assert len(report.scales) == len(report.weights) == 1


def test_what_cannot_be_int8_says_why() -> None:
    """Other types and constant operands are no candidates."""
    model = graph(
        """double[2,2] x, float[2,2] z => double[2,2] y, float[2,2] c, float[2,2] d {
          y = MatMul(x, x) c = MatMul(w, w) d = MatMul(z, w)
        }""",
        w=draw(2, 2),
    )
    chosen, reasons = qdq.candidates(model.graph, element_types(model), OPS, lambda n: False)

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


def test_calibration_sees_every_tensor_on_every_sample() -> None:
    """Graph inputs and computed tensors, batch by batch."""
    recorder = Recorder()
    parts = [samples([1, 2], [3, 4], [5, 6])]
    seen = calibration.calibrate(two_layers(), ["x", "r"], parts, INPUTS, 2, recorder)

    assert seen.samples == 3
    assert (seen.tensors["x"].low, seen.tensors["x"].high, seen.inputs["x"].high) == (1, 6, 6)
    assert [len(v) for v in recorder.seen["x"]] == [len(v) for v in recorder.seen["r"]] == [2, 1]
    np.testing.assert_array_equal(np.concatenate(recorder.seen["x"]), [[1, 2], [3, 4], [5, 6]])
    assert (np.concatenate(recorder.seen["r"]) >= 0).all()


def test_calls_are_smaller_where_what_is_watched_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is a wish: memory is bounded by the budget, or by one sample."""
    for budget, sizes in ((24, [2, 1]), (23, [1, 1, 1]), (1, [1, 1, 1])):  # r has 12 bytes
        monkeypatch.setattr(calibration, "WATCHED_BYTES", budget)
        recorder = Recorder()
        calibration.calibrate(two_layers(), ["r"], [samples([1, 2], [3, 4], [5, 6])], INPUTS, 3, recorder)

        assert [len(values) for values in recorder.seen["r"]] == sizes


def test_samples_of_several_sizes_are_run_size_by_size() -> None:
    """Each part has its own shape; together they are one calibration."""
    recorder = Recorder()
    dynamic = {"x": {"dtype": "float32", "shape": [None, None]}}
    model = graph("float[N,M] x => float[N,M] y { r = Relu(x) y = Mul(r, r) }")
    seen = calibration.calibrate(model, ["r"], [samples([1, 2]), samples([3, 4, 5], [6, 7, 8])], dynamic, 2, recorder)

    assert seen.samples == 3 and seen.tensors["r"].high == 8
    assert [values.shape for values in recorder.seen["r"]] == [(1, 2), (2, 3)]


def test_padding_counts_nowhere_in_tensors_with_more_rows_than_samples() -> None:
    """A network that puts channels or windows into the first dimension has several rows for each sample."""
    recorder = Recorder()
    static = {"x": {"dtype": "float32", "shape": [2, 2]}}
    model = graph("float[2,2] x => float[4,1] y { r = Reshape(x, s) y = Relu(r) }", s=np.array([4, 1]))
    calibration.calibrate(model, ["r"], [samples([1, 2], [3, 4], [5, 6])], static, 2, recorder)

    assert np.concatenate(recorder.seen["r"]).ravel().tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_without_a_number_are_refused(bad: float) -> None:
    """Their scale would be none, and int8 of it anything."""
    model = graph("float[N,2] x => float[N,2] y { y = MatMul(x, w) }", w=[[1, bad], [0, 1]])
    with pytest.raises(LowerError, match="weights 'w' have NaN or infinity"):
        qdq.insert(model, list(model.graph.node), {"x": 1.0})


def test_calibration_of_inputs_alone_runs_nothing() -> None:
    """A graph whose only operand is its input needs no session."""
    recorder = Recorder()
    calibration.calibrate(two_layers(), ["x"], [samples([1, 2])], INPUTS, 2, recorder)

    assert list(recorder.seen) == ["x"]


def test_an_activation_that_overflows_is_named() -> None:
    """A range of infinity would make every scale infinite."""
    model = graph("float[N,2] x => float[N,2] y { h = Exp(x) y = MatMul(h, w) }", w=draw(2, 2))
    with pytest.raises(DataError, match="data: 'h' becomes NaN or infinite during calibration"):
        calibration.calibrate(model, ["h"], [samples([1, 2], [1000, 0])], INPUTS, 2, Recorder())


def test_padding_is_no_sample() -> None:
    """The last sample is not counted several times where the batch is static."""
    recorder = Recorder()
    static = {"x": {"dtype": "float32", "shape": [2, 2]}}
    model = graph("float[2,2] x => float[2,2] y { r = Relu(x) y = MatMul(r, w) }", w=draw(2, 2))
    calibration.calibrate(model, ["r"], [samples([1, 2], [3, 4], [5, 6])], static, 2, recorder)

    assert sum(len(values) for values in recorder.seen["r"]) == 3
