"""Tests of the reduction as a whole, against a fault that is a list of operations."""

from __future__ import annotations

import onnx
import pytest

from tests.reducing.graphs import KERNEL, Contains, secret
from tests.support.graphs import graph, run
from trtbuild.base.errors import ModelError
from trtbuild.reducing.graphvalues import random_feeds
from trtbuild.reducing.smallgraph import SmallGraph, shrink

SHAPES = {"secret_image": [4, 2, 8, 8]}


def small(*ops: str) -> SmallGraph:
    return shrink(secret(), Contains(*ops), SHAPES)


def test_one_node_is_left_of_a_network() -> None:
    """The refused one, at a small size, and nothing can be left out."""
    found = small("Det")

    assert [node.op_type for node in found.model.graph.node] == ["Det"]
    assert found.minimal and found.static and (found.nodes, found.nodes_before) == (1, 6)
    assert max(d.dim_value for d in found.model.graph.input[0].type.tensor_type.shape.dim) == 4


def test_two_nodes_that_fail_together_stay() -> None:
    """And what connects them."""
    ops = [node.op_type for node in small("Conv", "Det").model.graph.node]
    assert ops == ["Conv", "Relu", "Det"] or set(ops) == {"Conv", "Det"}


def test_nothing_of_the_users_is_left() -> None:
    """Names, texts and weights."""
    content = small("Conv", "Det").model.SerializeToString()

    assert b"secret" not in content
    assert KERNEL.tobytes() not in content and KERNEL.tobytes()[16:32] not in content


def test_the_reduced_graph_is_valid_and_runs() -> None:
    """A fault of an invalid graph would be another one."""
    model = small("Conv", "Det").model

    onnx.checker.check_model(model, full_check=True)
    assert run(model, **random_feeds(model, {}))


def test_a_fault_that_needs_its_numbers_keeps_them_and_says_so() -> None:
    """Only those: the other constant is random."""
    model = graph("float[2] x => float[2] y { a = Mul(x, w) y = Add(a, v) }", w=[3.25, 7.5], v=[9.125, 1.5])

    class Needs(Contains):
        def shows(self, model: onnx.ModelProto) -> bool:
            values = [onnx.numpy_helper.to_array(t).tolist() for t in model.graph.initializer]
            return super().shows(model) and [3.25, 7.5] in values

    found = shrink(model, Needs("Mul", "Add"), {})

    assert len(found.kept) == 1 and found.kept[0].startswith("t")
    assert [9.125, 1.5] not in [onnx.numpy_helper.to_array(t).tolist() for t in found.model.graph.initializer]


def test_a_fault_that_comes_and_goes_is_not_reduced() -> None:
    """Rather than a graph that shows nothing."""
    with pytest.raises(ModelError, match="does not fail every time"):
        small("Softmax")
