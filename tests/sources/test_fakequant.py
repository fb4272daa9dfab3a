"""Tests of what training for quantisation comes to in an export."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from trtbuild.graphs.scopes import Cleaner
from trtbuild.sources.fakequant import FOLDED, find, warnings

Node = tuple[str, str, tuple[str, ...]]


def graph_def(*nodes: Node, body: tuple[Node, ...] = ()) -> Any:
    """Operations as (name, type, inputs); ``body`` is of a function with the argument ``a``."""
    function = SimpleNamespace(signature=SimpleNamespace(input_arg=[SimpleNamespace(name="a")]), node_def=made(body))
    return SimpleNamespace(node=made(nodes), library=SimpleNamespace(function=[function] if body else []))


def made(nodes: tuple[Node, ...]) -> list[Any]:
    return [SimpleNamespace(name=name, op=op, input=inputs) for name, op, inputs in nodes]


NETWORK = graph_def(
    ("x", "Placeholder", ()), ("w", "Const", ()), ("low", "Const", ()),
    ("fq_x", "FakeQuantWithMinMaxVars", ("x", "low", "low")),
    ("fq_w", "FakeQuantWithMinMaxVarsPerChannel", ("w", "low", "low", "^fq_x")),
    ("same", "Identity", ("fq_w:0",)),
    ("block/conv", "Conv2D", ("fq_x", "same")),
)  # fmt: skip


def test_weights_and_activations_are_told_apart() -> None:
    """By whether an input of the network reaches them; a control edge carries no value."""
    assert [(one.name, one.on_weights) for one in find(NETWORK)] == [("fq_x", False), ("fq_w", True)]
    assert find(NETWORK)[1].readers == (("Conv2D", "block/conv"),)


def test_a_stand_in_for_weights_counts_as_weights() -> None:
    """A check replaces large variables by placeholders."""
    made = graph_def(("w", "Placeholder", ()), ("fq", "QuantizeAndDequantizeV2", ("w",)))

    assert [one.on_weights for one in (*find(made), *find(made, {"w"}))] == [False, True]


def test_bodies_of_loops_are_searched() -> None:
    """Their arguments change from step to step."""
    assert [one.name for one in find(graph_def(body=(("fq", "FakeQuantWithMinMaxArgs", ("a",)),)))] == ["fq"]


def test_folded_and_kept_operations_are_two_warnings() -> None:
    """With the operations that run in another precision than they were trained for."""
    folded, kept = warnings(find(NETWORK), {"fq_x"}, Cleaner(["fq_x", "fq_w", "block/conv"]))

    assert folded.what == f"1 fake-quantisation operation(s) on weights are {FOLDED.format('Conv2D block/conv')}"
    assert folded.where == "FakeQuantWithMinMaxVarsPerChannel fq_w"
    assert kept.what.startswith("1 fake-quantisation operation(s) are kept as QuantizeLinear and DequantizeLinear")
    assert warnings((), set(), Cleaner([])) == []


def test_weights_that_stay_quantised_are_not_called_folded() -> None:
    """Some exports keep a pair behind them."""
    assert len(warnings(find(NETWORK), {"fq_x", "fq_w"}, Cleaner([]))) == 1
