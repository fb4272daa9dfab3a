"""Tests of near misses: each has one change, and is valid."""

from __future__ import annotations

import onnx

from tests.support.graphs import graph
from trtbuild.bugreport import controls
from trtbuild.graphs.graph import all_nodes

MODEL = graph(
    'float[1,1,4,4] x => float[1,1,8,8] y { r = Relu(x) y = Resize <mode = "cubic"> (r, , s) }', s=[1, 1, 2, 2]
)


def test_nodes_attributes_and_types_are_changed_one_at_a_time() -> None:
    """And every variant is valid ONNX."""
    found = list(controls.variants(MODEL))
    said = {control.how for control in found}

    assert {
        "without Relu (Relu_0)",
        "Resize without mode",
        "Resize with mode = linear",
        "float16 in place of float",
    } <= said
    for control in found:
        onnx.checker.check_model(control.model, full_check=True)


def test_only_those_that_pass_are_given() -> None:
    """With the number of all that were tried."""
    found, tried = controls.passing(MODEL, lambda model: "Resize" not in {n.op_type for n in all_nodes(model.graph)})

    assert [control.how.split(" ")[0] for control in found] == ["Relu", "without"] and tried > 5
