"""Tests of trained pairs brought to products: signs of ranges, loops and branches, and what keeps one from int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.graphs.test_trained import INT8, F, constant, kinds, placeholder, run
from trtbuild.base.errors import LowerError
from trtbuild.core.spec.lowering import Lowering
from trtbuild.graphs import lowered, symmetric, trained, trainedint8, uncalibrated
from trtbuild.graphs.compute import promised
from trtbuild.graphs.graph import all_nodes
from trtbuild.graphs.grid import Grid, fake_quant
from trtbuild.graphs.placement import Placement

X = np.random.default_rng(1).uniform(-2, 2, size=(5, 4)).astype(F)
W = np.random.default_rng(2).uniform(-1, 1, size=(4, 3)).astype(F)
W[0] = (0.9, -0.9, 0.9)
FLOATS = TensorProto.FLOAT
INT8_GEMM = Lowering("int8", "int8", quantize_ops=("Gemm",))


def grid(end: float, *, narrow: bool = False) -> Grid:
    return fake_quant(F([-end]), F([end]), narrow=narrow, axis=None)


def model_of(nodes: list[Any], **constants: Any) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", FLOATS, [5, 4])
    y = helper.make_tensor_value_info("y", FLOATS, [5, 3])
    held = [numpy_helper.from_array(array, name) for name, array in {"w": W, **constants}.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    trained.write_pairs(model)
    return model


def product(activation: Grid, weights: Grid, *between: Any) -> onnx.ModelProto:
    """x -> fake quantisation -> what is between -> product with fake-quantised weights, and a bias."""
    read = between[-1].output[0] if between else "fq_x:0"
    nodes = [placeholder("fq_x", "x", activation, 2), *between, placeholder("fq_w", "w", weights, 2),
             helper.make_node("Gemm", [read, "fq_w:0", "b"], ["y"], name="product")]  # fmt: skip
    return model_of(nodes, b=F([0.5, -1, 2]))


def theirs(activation: Grid, weights: Grid, x: Any = X) -> Any:
    seen, kernel = (held.quantise(a) * held.spread(held.scale, 2) for held, a in ((activation, x), (weights, W)))
    return (seen @ kernel + F([0.5, -1, 2])).astype(F)


@pytest.mark.parametrize(
    ("activation", "weights", "negations"),
    [
        (3.0, (3.0, False), 0),
        (1.0, (0.7, True), 1),  # before the pair; the weights take the other sign
        (1.0, (0.5, False), 1),  # both have the other sign already
        (3.0, (0.5, False), 1),  # these weights cannot: behind the product
    ],
)
def test_symmetric_ranges_are_exact_wherever_their_zero_is(
    activation: float, weights: tuple[float, bool], negations: int
) -> None:
    """Also at the uppermost step, which int8 has with the other sign alone."""
    a, w = grid(activation), grid(weights[0], narrow=weights[1])
    model = product(a, w)
    assert np.allclose(run(model, X), theirs(a, w), atol=1e-6)

    assert uncalibrated.lower(model, INT8_GEMM) == {} and promised(model) == {"product": "int8"}
    assert np.allclose(run(model, X), theirs(a, w), atol=1e-6) and kinds(model).count("Neg") == negations
    assert symmetric.unsigned(model) == [] and trainedint8.ranges(model).scales.keys() == {"x"}


def test_a_negated_pair_is_repeated_behind_what_moves_values() -> None:
    """With its sign; a transpose takes it along."""
    there = helper.make_node("Transpose", ["fq_x:0"], ["t"], perm=[1, 0], name="there")
    back = helper.make_node("Transpose", ["t"], ["u"], perm=[1, 0], name="back")
    model = product(grid(1.0), grid(0.7, narrow=True), there, back)
    uncalibrated.lower(model, INT8_GEMM)

    assert promised(model) == {"product": "int8"} and kinds(model).count("QuantizeLinear") == 1
    assert kinds(model).count("Neg") == 1
    assert np.allclose(run(model, X), theirs(grid(1.0), grid(0.7, narrow=True)), atol=1e-6)


def test_channels_whose_zeros_differ_lose_their_last_step_in_the_open() -> None:
    """The graph is exact; made symmetric, it keeps its scales and lists the range."""
    ends = F([0.5, 0.375, 0.375])
    weights = fake_quant(-ends, ends, narrow=False, axis=1)
    assert {(-128, 127), (-127, 128)} == {*zip(weights.low.tolist(), weights.high.tolist(), strict=True)}
    model = product(grid(3.0), weights)
    assert np.allclose(run(model, X), theirs(grid(3.0), weights), atol=1e-6)
    (change,) = symmetric.make_symmetric(model)

    assert change.on_weights and change.scale == change.symmetric_scale
    lost = np.abs(run(model, X) - theirs(grid(3.0), weights)).max(0)
    assert 0 < lost.max() <= 2.0 * weights.scale.max() * 1.01


def test_what_was_clamped_below_stays_clamped() -> None:
    """int8's -128 is a step below the range that became symmetric."""
    held = fake_quant(F([-1]), F([0.5]), narrow=False, axis=None)
    model = product(held, grid(0.7, narrow=True))
    symmetric.make_symmetric(model)

    assert np.array_equal(run(model, X * 0 - 9), run(model, X * 0 + F(held.low * held.scale)))


@pytest.mark.parametrize("captured", [False, True])
def test_products_in_branches_are_int8(captured: bool) -> None:
    """Their ranges may be inside, or outside."""
    inner = [placeholder("fq_w", "w", grid(0.7, narrow=True), 2),
             helper.make_node("MatMul", ["fq_x:0", "fq_w:0"], ["in"], name="product")]  # fmt: skip
    seen = placeholder("fq_x", "x", grid(1.0), 2)
    seen.domain = ""  # as tf2onnx leaves it in a branch
    other = [helper.make_node("MatMul", ["x", "w"], ["out"], name="float")]
    branches = [
        helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(nodes[-1].output[0], FLOATS, None)])
        for name, nodes in (("then", inner if captured else [seen, *inner]), ("else", other))
    ]
    choice = helper.make_node("If", ["true"], ["y"], name="if", then_branch=branches[0], else_branch=branches[1])
    model = model_of([*([seen] if captured else ()), choice], true=np.array(True))
    expected = run(model, X)
    kept = uncalibrated.lower(model, INT8)

    assert promised(model) == {"product": "int8", "float": "float32"} and list(kept) == ["float"]
    assert np.allclose(run(model, X), expected, atol=1e-6)
    assert "FakeQuantisation" not in [node.op_type for node in all_nodes(model.graph)]


def test_two_branches_may_turn_the_sign_of_one_bias() -> None:
    """It is a constant of the graph around them, and neither sees what the other has."""
    branches = []
    for name in ("then", "else"):
        nodes = [placeholder(f"x_{name}", "x", grid(3.0), 2), placeholder(f"w_{name}", "w", grid(0.5), 2),
                 helper.make_node("Gemm", [f"x_{name}:0", f"w_{name}:0", "b"], [name], name=f"p_{name}")]  # fmt: skip
        branches.append(helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, FLOATS, None)]))
    choice = helper.make_node("If", ["true"], ["y"], name="if", then_branch=branches[0], else_branch=branches[1])
    model = model_of([choice], true=np.array(True), b=F([0.5, -1, 2]))

    assert uncalibrated.lower(model, INT8_GEMM) == {}
    assert np.allclose(run(model, X), theirs(grid(3.0), grid(0.5)), atol=1e-6)


def test_a_range_for_each_channel_of_an_activation_is_named() -> None:
    """One scale is taken out of a product's sum; several cannot be."""
    ends = F([1.1, 2, 3, 4.1])
    model = product(fake_quant(-ends, ends, narrow=True, axis=1), grid(0.7, narrow=True))

    with pytest.raises(LowerError, match=r"first: product, a range by channel for fq_x:0\); int8 takes"):
        uncalibrated.lower(model, INT8_GEMM)


def test_a_type_that_the_precision_does_not_quantise_keeps_its_values() -> None:
    """In float, and named so."""
    nodes = [placeholder("fq_x", "x", grid(1.0), 2), placeholder("fq_w", "w", grid(0.5), 2),
             helper.make_node("Gemm", ["fq_x:0", "fq_w:0"], ["z"], name="product"),
             placeholder("fq_z", "z", grid(3.0), 2), placeholder("fq_v", "v", grid(1.0), 2),
             helper.make_node("MatMul", ["fq_z:0", "fq_v:0"], ["y"], name="last")]  # fmt: skip
    model = model_of(nodes, v=np.eye(3, dtype=F))
    expected = run(model, X)
    kept = uncalibrated.lower(model, Lowering("int8", "int8", quantize_ops=("MatMul",)))

    assert kept == {"product": trainedint8.OTHER_KIND} and promised(model) == {"product": "float32", "last": "int8"}
    assert np.allclose(run(model, X), expected, atol=0.02)
    (warning,) = trainedint8.warnings(kept, {})
    assert warning.what.startswith("1 operation(s) stay in float: the precision does not quantise")


def test_values_that_a_resize_only_copies_stay_on_their_grid() -> None:
    """Nearest neighbours; interpolated ones are between its steps."""
    def resized(mode: str) -> onnx.ModelProto:
        between = [helper.make_node("Reshape", ["fq_x:0", "four"], ["r"], name="r"),
                   helper.make_node("Resize", ["r", "", "scales"], ["s"], name="s", mode=mode),
                   helper.make_node("Reshape", ["s", "two"], ["t"], name="t")]  # fmt: skip
        nodes = [placeholder("fq_x", "x", grid(1.0), 2), *between, placeholder("fq_w", "w", grid(0.7, narrow=True), 2),
                 helper.make_node("MatMul", ["t", "fq_w:0"], ["y"], name="product")]  # fmt: skip
        shapes = {"four": np.array([1, 1, 5, 4]), "two": np.array([10, 4])}
        return model_of(nodes, scales=F([1, 1, 2, 1]), **shapes)

    assert uncalibrated.lower(resized("nearest"), INT8) == {}
    with pytest.raises(LowerError, match="no trained range for t"):
        uncalibrated.lower(resized("linear"), INT8)


def test_the_scale_of_a_pair_is_that_of_the_source() -> None:
    """Negated or not."""
    model = product(grid(1.0), grid(0.7, narrow=True))
    node = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")

    assert constant(model, node.input[1]) == F(2) / F(255)


def test_what_a_half_precision_rest_does_to_trained_scales_is_known() -> None:
    """Powers of two stay; others are rounded, and small ones lose more."""
    tiny = fake_quant(F([-1e-5]), F([1e-5]), narrow=True, axis=None)
    for activation, expected in ((fake_quant(F([-127 / 64]), F([127 / 64]), narrow=True, axis=None), 0.0),
                                 (grid(2.9), 2.0**-11), (tiny, 0.5)):  # fmt: skip
        model = product(activation, fake_quant(F([-127 / 128]), F([127 / 128]), narrow=True, axis=None))
        half = Lowering("int8", "int8", quantize_ops=("Gemm",), rest="float16")
        placement = Placement(half, {})
        lowered.prepare(model, placement)
        lowered.quantised_nodes(model, placement)
        rounded = lowered.write(model, placement, [], {}).rounded

        assert (rounded is None) == (expected == 0)
        assert rounded is None or (rounded.count == 1 and 0 < rounded.largest <= expected)
        assert rounded is None or (rounded.node.startswith("fq_x") and rounded.lost == (expected == 0.5))
        if expected == 2.0**-11:
            assert "1 trained scale(s) are rounded to float16" in rounded.warning(model, "float16", str).what
        elif expected:
            with pytest.raises(LowerError, match="float16 cannot hold a trained scale"):
                rounded.warning(model, "float16", str)


def test_weights_of_equal_steps_and_other_zeros_are_not_one_tensor() -> None:
    """The export merges equal constants, whatever they are scaled and shifted by."""
    zeros = {f"zero{i}": np.array(value, np.uint8) for i, value in enumerate((10, 200))}
    dequantised = [helper.make_node("DequantizeLinear", ["q", "scale", one], [f"w_{one}"], name=one) for one in zeros]
    product = helper.make_node("MatMul", ["x", "w_zero0"], ["p"], name="product")
    nodes = [*dequantised, product, helper.make_node("Add", ["p", "w_zero1"], ["y"], name="sum")]
    model = model_of(nodes, q=np.arange(0, 240, 20, dtype=np.uint8).reshape(4, 3), scale=F(0.01), **zeros)
    model.graph.node[-1].input[1] = "row"
    model.graph.node.insert(3, helper.make_node("ReduceSum", ["w_zero1", "axes"], ["row"], name="row"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "axes"))
    expected = run(model, X)
    symmetric.make_symmetric(model)

    assert np.allclose(run(model, X), expected, atol=0.2)
