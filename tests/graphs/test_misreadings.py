"""Tests of what TensorRT's importer reads in another way than the graph states it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.graphs import graph
from trtbuild.graphs.misreadings import misread, narrowed

SCALE = numpy_helper.from_array(np.float32(6 / 255), "s")
SATURATES = "TensorRT reads int8 with the same scale, and the upper half of the range saturates"


def pair(kind: int | None, value: int = 0, *, opset: int = 21, **attributes: int) -> Any:
    """x -> QuantizeLinear -> DequantizeLinear -> y with one zero point of a type, or none."""
    points = [] if kind is None else ["z"]
    constants = [SCALE] if kind is None else [SCALE, helper.make_tensor("z", kind, [], [value])]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", *points], ["q"], name="Q", **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", *points], ["y"], name="DQ"),
    ]
    return model(nodes, constants, opset)


def model(nodes: list[Any], constants: list[Any], opset: int = 21, *inputs: Any) -> Any:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
    made = helper.make_graph(nodes, "g", [x, *inputs], [y], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.INT4, TensorProto.FLOAT8E4M3FN])
def test_what_the_importer_keeps_passes(kind: int) -> None:
    """Symmetric pairs of signed types."""
    assert misread(pair(kind)) == ()
    assert misread(pair(None, output_dtype=kind)) == ()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (pair(TensorProto.UINT8), f"it quantises to uint8: {SATURATES}"),
        (pair(TensorProto.UINT8, 128), f"it quantises to uint8: {SATURATES}"),
        (pair(None), f"it quantises to uint8 (no zero point and no output_dtype mean that): {SATURATES}"),
        (pair(None, opset=13), f"it quantises to uint8 (no zero point and no output_dtype mean that): {SATURATES}"),
        (pair(None, output_dtype=TensorProto.UINT8), f"it quantises to uint8: {SATURATES}"),
        (pair(TensorProto.INT16), "it quantises to int16"),
        (pair(TensorProto.UINT4), "it quantises to uint4"),
        (pair(TensorProto.INT8, 5), "its zero point is 5, and TensorRT has only 0"),
        (pair(TensorProto.FLOAT8E4M3FN, saturate=0), "saturate=0 makes large values NaN, and TensorRT saturates"),
    ],
)  # fmt: skip
def test_another_quantisation_is_named_once(made: Any, words: str) -> None:
    """At the first half of the pair: the second follows from it."""
    (complaint,) = misread(made)

    assert (complaint.node, complaint.op_type, complaint.stage) == ("Q", "QuantizeLinear", "misread")
    assert complaint.words == words


def test_a_zero_point_of_a_constant_node_or_of_weights_counts_alike() -> None:
    """Exporters write constants in both ways, and quantise weights beforehand."""
    point = helper.make_node("Constant", [], ["z"], value=helper.make_tensor("", TensorProto.UINT8, [], [0]))
    weights = numpy_helper.from_array(np.ones((4, 4), np.uint8), "w")
    quantise = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="Q")
    dequantise = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], name="W")

    assert [c.node for c in misread(model([point, quantise, dequantise], [SCALE, weights]))] == ["Q", "W"]


def test_each_pair_of_a_row_is_named() -> None:
    """One after the other, as after two activations."""
    again = [
        helper.make_node("QuantizeLinear", ["y", "s", "z"], ["q2"], name="Q2"),
        helper.make_node("DequantizeLinear", ["q2", "s", "z"], ["y2"], name="DQ2"),
    ]
    made = pair(TensorProto.UINT8)
    made.graph.node.extend(again)

    assert [c.node for c in misread(made)] == ["Q", "Q2"]


def test_a_computed_zero_point_is_refused() -> None:
    """The importer drops it: zero is what the engine takes."""
    value = helper.make_tensor_value_info("z", TensorProto.INT8, [])
    quantise = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="Q")

    (complaint,) = misread(model([quantise], [SCALE], 21, value))
    assert complaint.words == "its zero point is computed from an input: TensorRT takes 0"


def test_bodies_and_other_domains_are_looked_at() -> None:
    """The importer reads ONNX Runtime's own pairs, and those of a branch, in the same way."""
    made = pair(TensorProto.UINT8).graph
    for node in made.node:
        node.domain = "com.microsoft"
    body = helper.make_graph(made.node, "body", [], [made.output[0]], made.initializer)
    branch = helper.make_node("If", ["c"], ["y"], name="If", then_branch=body, else_branch=body)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])

    assert [c.node for c in misread(model([branch], [], 21, condition))] == ["Q"]


def test_float64_inside_the_network_is_found() -> None:
    """The engine computes it in float32, and its output has that type."""
    made = graph("float[2] x => float[2] y { d = Cast<to = 11>(x) e = Exp(d) y = Cast<to = 1>(e) }")

    assert [c.op_type for c in narrowed(made)] == ["Cast", "Exp"]
    assert narrowed(graph("float[2] x => float[2] y { y = Exp(x) }")) == ()
