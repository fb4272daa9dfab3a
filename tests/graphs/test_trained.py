"""Tests of trained ranges on their way through a graph: placeholder, Q/DQ, symmetric int8, or stripped."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtbuild.base.errors import LowerError
from trtbuild.core.spec.lowering import Lowering
from trtbuild.core.spec.model import Qat
from trtbuild.graphs import (
    symmetric,
    trained,
    trainedadmission,
    trainedgaps,
    trainedint8,
    trainedpairs,
    trainedstrip,
    uncalibrated,
)  # fmt: skip
from trtbuild.graphs.compute import promised
from trtbuild.graphs.grid import Grid, fake_quant

F = np.float32
INT8 = Lowering("int8", "int8", quantize_ops=("Conv", "MatMul"))
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 4, 2)).astype(F)  # TensorFlow's layout


def placeholder(name: str, source: str, grid: Grid, rank: int = 4) -> Any:
    held = trained.attributes(grid, rank)
    return helper.make_node(trained.KIND, [source], [f"{name}:0"], name=name, domain=trained.DOMAIN, **held)


def network(*, low: float = -3.0, narrow: bool = False, axis: int | None = 3, weights: bool = True) -> onnx.ModelProto:
    """x -> fake quantisation -> convolution whose kernel is fake-quantised, transposed behind it."""
    ends = np.abs(KERNEL).reshape(-1, 2).max(0) if axis is not None else np.abs(KERNEL).max()
    nodes = [
        placeholder("fq_x", "x", fake_quant(F([low]), F([3.0]), narrow=narrow, axis=None)),
        *([placeholder("fq_w", "w", fake_quant(-ends, ends, narrow=True, axis=axis))] if weights else []),
        helper.make_node("Transpose", ["fq_w:0"], ["kernel"], perm=[3, 2, 0, 1], name="turn"),
        helper.make_node("Conv", ["fq_x:0", "kernel"], ["y"], name="conv"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 6, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 4, 4])
    if not weights:
        nodes = [nodes[0], helper.make_node("Conv", ["fq_x:0", "w"], ["y"], name="conv")]
    held = KERNEL if weights else KERNEL.transpose(3, 2, 0, 1).copy()
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(held, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    trained.write_pairs(model)
    return model


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def run(model: onnx.ModelProto, x: Any) -> Any:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def constant(model: onnx.ModelProto, name: str) -> Any:
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


X = np.random.default_rng(1).uniform(-4, 4, size=(1, 4, 6, 6)).astype(F)


@pytest.mark.parametrize("axis", [None, 3])
def test_weights_become_int8_behind_what_moves_them(axis: int | None) -> None:
    """With the steps that TensorFlow rounds to, and one scale, or one for each output channel of the convolution."""
    model = network(axis=axis)
    node = next(n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.name.startswith("fq_w"))
    steps, scale = constant(model, node.input[0]), constant(model, node.input[1])

    assert steps.dtype == np.int8 and steps.shape == (2, 4, 3, 3) and abs(steps).max() == 127
    assert scale.shape == (() if axis is None else (2,)) and "Transpose" not in kinds(model)
    assert promised(model) == {"conv": "int8"}


def test_a_symmetric_range_is_a_pair_without_a_clamp_and_a_narrow_one_has_it() -> None:
    """int8 has -128; what is narrow ends at -127."""
    wide, narrow = network(), network(narrow=True)

    assert kinds(wide)[:2] == ["QuantizeLinear", "DequantizeLinear"] and "Max" in kinds(narrow)
    assert run(wide, X * 0 - 9).tolist() != run(narrow, X * 0 - 9).tolist()


def test_an_asymmetric_range_computes_as_trained_until_it_is_made_symmetric() -> None:
    """In uint8 first; then with the larger side's steps, twice as coarse for a ReLU."""
    model = network(low=0.0)
    exact = run(model, np.maximum(X, 0))
    (change,) = symmetric.make_symmetric(model)

    assert (change.low, change.scale) == (0.0, F(3) / F(255))
    assert change.symmetric_scale == F(change.high) / F(127) and not symmetric.unsigned(model)
    assert promised(model) == {"conv": "int8"}
    assert np.abs(run(model, np.maximum(X, 0)) - exact).max() < 36 * np.abs(KERNEL).max() * change.symmetric_scale
    assert np.array_equal(run(model, X), run(model, np.maximum(X, 0))), "what was clamped stays clamped"


def test_ranges_that_int8_does_not_have_are_refused_where_that_is_asked() -> None:
    """With their number and their place; other precisions are told what to do."""
    place = trainedadmission.Admission("int8", True, False, lambda node: node.name)

    with pytest.raises(LowerError, match=r"1 trained range\(s\) are not symmetric.*fq_x_QuantizeLinear"):
        place.admit(network(low=0.0))
    with pytest.raises(LowerError, match="so it is not fp16"):
        trainedadmission.Admission("fp16", False, False, lambda node: node.name).admit(network())
    assert place.admit(network()) == []


def test_stripped_ranges_clamp_and_keep_the_weights_values() -> None:
    """What is left computes in floats."""
    model = network()
    before = run(model, X)
    (warning,) = trainedadmission.Admission("fp16", False, True, lambda node: node.name).admit(model)

    assert "QuantizeLinear" not in kinds(model) and "fp16 clamps" in warning.what
    assert 0 < np.abs(run(model, X) - before).max() < 36 * np.abs(KERNEL).max() * 3 / 127
    assert np.allclose(run(model, X * 100), run(model, np.clip(X * 100, -3, 3)), atol=0.5)


def test_pairs_are_repeated_behind_what_only_moves_values() -> None:
    """Pooling and padding with zeros: no value changes, and the convolution computes in int8."""
    model = network()
    conv = model.graph.node[-1]
    pool = helper.make_node("MaxPool", ["fq_x:0"], ["pooled"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], name="pool")
    model.graph.node.insert(len(model.graph.node) - 1, pool)
    model.graph.node[-1].input[0] = "pooled"
    before = run(model, X)

    assert promised(model)[conv.name] == "float32"
    assert uncalibrated.lower(model, INT8) == {} and promised(model)[conv.name] == "int8"
    assert np.array_equal(run(model, X), before)


def test_a_pair_that_only_a_transpose_reads_moves_behind_it() -> None:
    """It would be a kernel that quantises and dequantises for nothing."""
    model = network()
    nodes = list(model.graph.node)
    ends = [helper.make_node("Transpose", ["fq_x:0"], ["a"], perm=[0, 2, 3, 1], name="there"),
            helper.make_node("Transpose", ["a"], ["b"], perm=[0, 3, 1, 2], name="back")]  # fmt: skip
    nodes[-1].input[0] = "b"
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:-1], *ends, nodes[-1]])
    before = run(model, X)
    uncalibrated.lower(model, INT8)

    assert kinds(model).count("QuantizeLinear") == 1 and promised(model) == {"conv": "int8"}
    assert np.array_equal(run(model, X), before)


def test_an_operand_without_a_range_is_named_or_calibrated() -> None:
    """As the config says."""
    with pytest.raises(LowerError, match="no operation has trained ranges for both operands"):
        uncalibrated.lower(network(weights=False), INT8)
    model = network(weights=False)
    lowering = Lowering("int8", "int8", quantize_ops=("Conv",), qat=Qat(untrained="calibrate"))

    assert uncalibrated.lower(model, lowering) == {} and promised(model) == {"conv": "int8"}
    assert kinds(model).count("QuantizeLinear") == 1, "the trained range is not calibrated again"


def test_an_excluded_operation_gets_its_operands_back() -> None:
    """As they were before rounding; weights keep their values."""
    model = network()
    pairs = trainedpairs.Pairs(model.graph, {tensor.name: tensor for tensor in model.graph.initializer}, {})
    pairs.release(model.graph.node[-1])
    pairs.write()

    assert promised(model) == {"conv": "float32"} and "QuantizeLinear" not in kinds(model)


def test_additions_of_different_ranges_are_found() -> None:
    """An engine adds them in float."""
    nodes = [
        placeholder("a", "x", fake_quant(F([-1]), F([1]), narrow=True, axis=None)),
        placeholder("b", "x", fake_quant(F([-2]), F([2]), narrow=True, axis=None)),
        helper.make_node("Add", ["a:0", "b:0"], ["y"], name="sum"),
        helper.make_node("Add", ["a:0", "a:0"], ["z"], name="same"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xyz"]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]))
    trained.write_pairs(model)

    ((node, scales),) = trainedgaps.unequal(model)
    assert node.name == "sum" and scales == (F(2) / F(254), F(4) / F(254))


def test_a_bias_keeps_its_trained_values_as_floats() -> None:
    """What reads it does not compute in int8 by it."""
    grid = fake_quant(F([-1]), F([1]), narrow=False, axis=None)
    nodes = [placeholder("fq_b", "b", grid, 1), helper.make_node("Add", ["x", "fq_b:0"], ["y"], name="bias")]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
    bias = numpy_helper.from_array(F([0.3, -0.7, 5]), "b")
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [bias]))
    trained.write_pairs(model)

    values = constant(model, model.graph.node[0].input[1])
    trained_to = (grid.quantise(F([0.3, -0.7, 5])) * grid.scale).astype(F)
    assert kinds(model) == ["Add"] and np.array_equal(values, trained_to) and values[2] == 128 * grid.scale


def test_nothing_is_stripped_from_a_graph_without_pairs() -> None:
    """And it is not called trained."""
    model = network()
    assert trainedstrip.strip(model) == 2 and trainedstrip.strip(model) == 0 and not trainedint8.is_trained(model)
