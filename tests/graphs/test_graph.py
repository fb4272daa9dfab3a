"""Tests of questions about a graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.support.graphs import constants, graph, node, nodes, run
from trtbuild.graphs.graph import (
    drop_unused_initialisers,
    element_types,
    hoist_constants,
    producers,
    shape_arithmetic,
    subgraphs,
)
from trtbuild.graphs.scopes import nodes_in_scopes

BRANCHES = """float[2] x, bool c => float[2] y {
  a = Neg(x)
  y = If(c) <then_branch = yes () => (float[2] p) { p = Mul(a, w) }, else_branch = no () => (float[2] q) { q = Exp(x) }>
}"""


def test_types_reach_into_branches() -> None:
    """Every tensor that inference knows, initialisers and bodies included."""
    types = element_types(graph(BRANCHES, w=[1.0, 2.0]))

    assert {name for name, kind in types.items() if kind == onnx.TensorProto.FLOAT} >= {"x", "a", "y", "p", "q", "w"}
    assert types["c"] == onnx.TensorProto.BOOL


def test_bodies_of_a_node() -> None:
    """An If has two, a plain node none."""
    model = graph(BRANCHES, w=[1.0, 2.0])

    assert [body.name for body in subgraphs(node(model, "If"))] == ["yes", "no"]
    assert subgraphs(node(model, "Neg")) == []


def test_constant_nodes_become_initialisers() -> None:
    """The result is the same, the graph has one kind of constant."""
    model = graph("float[2] x => float[2] y { k = Constant<value = float[2] {1.0, 2.0}>() y = Add(x, k) }")
    hoist_constants(model.graph)

    assert [n.op_type for n in nodes(model)] == ["Add"]
    np.testing.assert_array_equal(run(model, x=np.float32([1, 1]))["y"], [2, 3])


def test_producers_by_tensor() -> None:
    """Graph inputs and constants have none."""
    model = graph("float[2] x => float[1] y { a, b = Split(x, w) y = Add(a, b) }", w=np.array([1, 1]))

    assert {name: made.op_type for name, made in producers(model.graph).items()} == {
        "a": "Split",
        "b": "Split",
        "y": "Add",
    }


def test_shape_arithmetic_is_what_no_data_reaches() -> None:
    """Computed from shapes and constants, at any distance; a reader of data is not."""
    model = graph(
        "float[N,2] x => float[M] y { s = Shape(x) f = Cast<to = 1>(s) g = Mul(f, w) n = ReduceMax(x) y = Mul(g, n) }",
        w=[2.0],
    )

    assert shape_arithmetic(model.graph) == {"s", "f", "g"}


def test_unused_initialisers_go() -> None:
    """What a branch captures, or an output names, stays."""
    model = graph(
        BRANCHES.replace("float[2] y {", "float[2] y, float[1] out {", 1), w=[1.0, 2.0], out=[3.0], unused=[4.0]
    )
    drop_unused_initialisers(model.graph)

    assert set(constants(model)) == {"w", "out"}


def test_nodes_by_scope() -> None:
    """By TensorFlow's name where there is one, by the ONNX name otherwise."""
    model = graph("float[2] x => float[2] y { a = Neg(x) b = Exp(a) y = Neg(b) }")
    for made, name in zip(nodes(model), ("net/head/a", "Exp_7", "net/overhead/c"), strict=True):
        made.name = name
    scope_map = {"nodes": {"Exp_7": {"op": "net/head/exp"}}, "tensors": {}}

    assert nodes_in_scopes(nodes(model), ["head", "net/head/exp", "tail"], scope_map) == {
        "head": ["net/head/a", "Exp_7"], "net/head/exp": ["Exp_7"], "tail": [],
    }  # fmt: skip


@pytest.mark.parametrize("scope", ["conv1", "net/conv1/Conv2D", "bn1", "net/bn1/batchnorm", "net_1/bn1_1"])
def test_a_node_is_in_the_scope_of_all_it_was_made_of(scope: str) -> None:
    """A convolution by its own scope and by that of the norm that was folded into it."""
    model = graph("float[2] x => float[2] y { y = Neg(x) }")
    nodes(model)[0].name = "Conv__4"
    norm = {"op": "net_1/bn1_1/batchnorm/mul_1", "type": "Mul", "name": "net/bn1/batchnorm/mul_1"}
    conv = {"op": "net_1/conv1_1/Conv2D", "type": "Conv2D", "name": "net/conv1/Conv2D", "members": [norm]}

    assert nodes_in_scopes(nodes(model), [scope], {"nodes": {"Conv__4": conv}}) == {scope: ["Conv__4"]}
