"""Tests of reduction: the smallest set of nodes, whatever the question is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.graphs import graph
from trtbuild.graphs.reduction import extract, reduce

CHAIN = "float[4] x => float[4] y {" + " ".join(f"t{i} = Relu({f't{i - 1}' if i else 'x'})" for i in range(19))
CHAIN += " y = Neg(t18) }"


def names(model: Any) -> list[str]:
    return [node.name for node in model.graph.node]


def needs(*wanted: str) -> Any:
    """The fault shows when all of these nodes are there."""
    return lambda model: set(wanted) <= set(names(model))


@pytest.mark.parametrize("guilty", [("Relu_0",), ("Neg_19",), ("Relu_7",), ("Relu_3", "Relu_15"), ("Relu_8", "Relu_9")])
def test_the_guilty_nodes_alone_are_left(guilty: tuple[str, ...]) -> None:
    """One node, or several that it takes together."""
    found = reduce(graph(CHAIN), needs(*guilty), limit_s=60)

    assert tuple(names(found.model)) == guilty and found.minimal


def test_a_set_is_asked_once() -> None:
    """A question costs a process."""
    asked: list[tuple[str, ...]] = []

    def fails(model: Any) -> bool:
        asked.append(tuple(names(model)))
        return {"Relu_3", "Relu_15"} <= set(names(model))

    found = reduce(graph(CHAIN), fails, limit_s=60)

    assert len(asked) == len(set(asked)) <= found.asked


def test_without_time_everything_is_left_and_it_says_so() -> None:
    """Not a wrong answer."""
    found = reduce(graph(CHAIN), needs("Relu_7"), limit_s=0)

    assert len(names(found.model)) == 20 and not found.minimal


def test_a_cut_makes_inputs_and_outputs() -> None:
    """With their types; what the rest reads, or nobody does, comes out."""
    piece = extract(graph("float[2] x => float[2] y { a = Relu(x) b = Neg(a) y = Add(b, w) }", w=[1, 2]), {"Add_2"})

    assert piece is not None
    assert [v.name for v in piece.graph.input] == ["b"] and [v.name for v in piece.graph.output] == ["y"]
    assert [t.name for t in piece.graph.initializer] == ["w"]


def test_a_tensor_of_unknown_size_cannot_be_cut_at() -> None:
    """How many values Unique finds is not in the graph."""
    model = graph("float[8] x => float[n] y { u = Unique(x) y = Relu(u) }")

    assert extract(model, {"Relu_1"}) is None
    assert extract(model, {"Unique_0"}) is not None
