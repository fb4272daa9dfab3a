"""Tests of groups: what shares an input, meets in a join, or was written as one layer changes its type together."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from trtbuild.auto.groups import find_groups
from trtbuild.auto.logits import before_softmax
from trtbuild.graphs.scopes import ScopeMap

FLOAT = onnx.TensorProto.FLOAT


def graph_of(text: str) -> onnx.GraphProto:
    """Lines "output = Op(input, …)"; every convolution and product gets weights of its own."""
    nodes, weights = [], []
    for line in text.split():
        output, _, call = line.partition("=")
        op, _, inputs = call.rstrip(")").partition("(")
        names = inputs.split(",")
        if op in ("Conv", "MatMul"):
            names = [*names, f"{output}_w"] if len(names) == 1 else names
            weights.append(onnx.numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), f"{output}_w"))
        nodes.append(helper.make_node(op, names, [output], name=output))
    ends = [helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)]
    return helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", FLOAT, None)], ends, weights)


def grouped(text: str, scopes: dict[str, str] | None = None) -> list[set[str]]:
    graph = graph_of(text)
    products = {node.name for node in graph.node if node.op_type in ("Conv", "MatMul")}
    entries: ScopeMap = {
        "nodes": {node: {"op": name, "type": "Conv2D", "name": name} for node, name in (scopes or {}).items()},
        "tensors": {},
    }  # fmt: skip
    return [set(group.nodes) for group in find_groups(graph, products, entries)]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("a=Conv(x) b=Conv(a) c=Conv(b)", [{"a"}, {"b"}, {"c"}]),
        ("a=Conv(x) b=Conv(a) c=Conv(a)", [{"a"}, {"b", "c"}]),  # one tensor, one quantised form
        ("a=Conv(x) r=Relu(a) b=Conv(r) s=Add(b,r)", [{"a", "b"}]),  # a residual
        ("a=Conv(x) b=Conv(a) s=Add(b,a) c=Conv(s) t=Add(c,s)", [{"a", "b", "c"}]),  # a chain of residuals
        ("a=Conv(x) b=Conv(a) p=MaxPool(a) c=Concat(b,p) d=Conv(c)", [{"a", "b"}, {"d"}]),
        ("a=MatMul(x) b=MatMul(x) c=MatMul(a,b) d=MatMul(c)", [{"a", "b"}, {"c"}, {"d"}]),
        ("a=Conv(x) s=Add(a,a) m=Softmax(s) b=Conv(m) t=Add(b,s)", [{"a", "b"}]),
        ("a=Conv(x) m=Softmax(a) b=Conv(m) t=Add(b,m)", [{"a"}, {"b"}]),  # what a softmax makes has its own range
    ],
)
def test_what_belongs_together(text: str, groups: list[set[str]]) -> None:
    assert grouped(text) == groups


def test_the_products_of_one_layer_are_one_group() -> None:
    scopes = {"a": "net/sep/depthwise", "b": "net/sep/pointwise", "c": "net/head/Conv2D"}
    assert grouped("a=Conv(x) b=Conv(a) c=Conv(b)", scopes) == [{"a", "b"}, {"c"}]


def test_a_network_in_one_scope_is_not_one_layer() -> None:
    names = {name: f"net/Conv2D_{name}" for name in "abcdef"}
    assert len(grouped("a=Conv(x) b=Conv(a) c=Conv(b) d=Conv(c) e=Conv(d) f=Conv(e)", names)) == 6


def test_names_are_scopes_where_a_scope_holds_the_group_alone() -> None:
    graph = graph_of("a=Conv(x) b=Conv(a) c=Conv(b)")
    names = {"a": "net/stem/Conv2D", "b": "net/Conv2D", "c": "net/head/x/Conv2D"}
    entries: ScopeMap = {
        "nodes": {node: {"op": name, "type": "Conv2D", "name": name} for node, name in names.items()}, "tensors": {},
    }  # fmt: skip
    groups = find_groups(graph, {"a", "b", "c"}, entries)
    assert [group.name for group in groups] == ["net/stem", "net/Conv2D", "net/head/x"]
    assert [group.operations for group in groups] == [(name,) for name in names.values()]


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("a=Conv(x) s=Softmax(a)", "a"),
        ("a=Conv(x) r=Relu(a)", "r"),
        ("a=Conv(x) s=Softmax(a) t=ArgMax(s) u=Cast(t)", "a"),
        ("a=Conv(x) t=Reshape(a) s=Sigmoid(t) u=Identity(s)", "t"),
        ("s=Softmax(x)", "s"),
    ],
)
def test_errors_are_measured_before_the_end(text: str, measured: str) -> None:
    graph = graph_of(text)
    assert list(before_softmax(graph).values()) == [measured]
