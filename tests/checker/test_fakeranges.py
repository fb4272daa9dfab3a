"""Tests of the ranges that a check takes from variables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from trtbuild.checker.fakeranges import values
from trtbuild.checker.subgraph import Subgraph, VariableSpec


def node(name: str, op: str, *inputs: str) -> Any:
    return SimpleNamespace(name=name, op=op, input=list(inputs))


def test_ranges_that_nobody_can_read_are_those_where_tensorflow_starts() -> None:
    """Behind whatever computes them; other variables are not guides."""
    nodes = [
        node("x", "Placeholder"), node("w", "Const"), node("low", "Const"), node("high", "Const"), node("six", "Const"),
        node("read", "Identity", "low"), node("bound", "Minimum", "read:0", "six"),
        node("fq", "FakeQuantWithMinMaxVars", "x", "bound", "high"), node("conv", "Conv2D", "fq", "w"),
    ]  # fmt: skip
    variables = {name: VariableSpec(1, ()) for name in ("low", "high", "w")}
    part = Subgraph(SimpleNamespace(), variables=variables)  # type: ignore[arg-type]

    found = values(SimpleNamespace(node=nodes), part)  # type: ignore[arg-type]

    assert {name: float(value) for name, value in found.items()} == {"low": -6.0, "high": 6.0}


def test_a_weight_that_a_range_is_computed_from_is_not_read() -> None:
    """It may be large, and its values do not matter."""
    nodes = [
        node("w", "Const"),
        node("largest", "Max", "w"),
        node("fq", "FakeQuantWithMinMaxVars", "w", "largest", "largest"),
    ]
    part = Subgraph(SimpleNamespace(), variables={"w": VariableSpec(1, (1024, 1024))})  # type: ignore[arg-type]

    assert values(SimpleNamespace(node=nodes), part) == {}  # type: ignore[arg-type]
