"""Tests of cutting out what does not convert, so that the rest can be asked about."""

from __future__ import annotations

import numpy as np
import onnx

from tests.support.graphs import graph
from trtbuild.checker.cut import Cut, cut_out

TEXT = "float[n,4] x => float[n,4] y, float[n,4] z { a = Relu(x) b = Bad(a) c = Neg(b) y = Abs(c) z = Sqrt(x) }"
KNOWN = {"b": (onnx.TensorProto.FLOAT, (2, 4))}


def test_results_become_inputs_and_operands_outputs() -> None:
    """Both sides of the cut are checked further, with fixed shapes."""
    model = graph(TEXT)

    assert cut_out(model, {"Bad_1"}, KNOWN, {"x": [2, 4]}) == Cut({"b": [2, 4]}, ())
    assert [node.op_type for node in model.graph.node] == ["Relu", "Neg", "Abs", "Sqrt"]
    assert [v.name for v in model.graph.input] == ["x", "b"]
    assert sorted(v.name for v in model.graph.output) == ["a", "y", "z"]
    onnx.checker.check_model(model, full_check=True)


def test_what_reads_a_result_of_unknown_shape_goes_too() -> None:
    """And what reads that; the rest stays."""
    model = graph(TEXT)

    assert cut_out(model, {"Bad_1"}, {}, {"x": [2, 4]}).lost == ("Neg_2", "Abs_3")
    assert [node.op_type for node in model.graph.node] == ["Relu", "Sqrt"]


def test_what_reads_a_foreign_type_goes_too() -> None:
    """TensorRT would refuse it for the type alone."""
    cut = cut_out(graph(TEXT), {"Bad_1"}, {"b": (onnx.TensorProto.INT16, (2, 4))}, {"x": [2, 4]})

    assert cut.lost == ("Neg_2", "Abs_3")


def test_nothing_may_be_left() -> None:
    """One operation, and that one is bad."""
    model = graph("float[4] x => float[4] y { y = Bad(x) }")

    assert cut_out(model, {"Bad_0"}, {}, {}) == Cut({}, ())
    assert not model.graph.node


def test_a_node_in_a_body_goes_with_its_loop() -> None:
    """A cut is made at the top level only."""
    body = graph("bool c, float[2] x => float[2] y { y = Bad(x) }").graph
    model = graph("float[2] x => float[2] z { t = If(c) z = Neg(x) }", c=np.array(True))
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("then_branch", body))
    del body.input[:]

    cut_out(model, {"Bad_0"}, {}, {})
    assert [node.op_type for node in model.graph.node] == ["Neg"]
