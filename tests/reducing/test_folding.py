"""Tests of constants that are computed beforehand."""

from __future__ import annotations

from tests.support.graphs import constants, graph
from trtbuild.reducing.folding import folded


def test_constant_parts_are_computed() -> None:
    """Shape arithmetic becomes one number; what depends on an input stays."""
    model = folded(graph("float[4] x => float[4] y { s = Add(a, b) t = Exp(s) y = Mul(x, t) }", a=[1.0], b=[-1.0]))

    assert [node.op_type for node in model.graph.node] == ["Mul"]
    assert constants(model)["t"].tolist() == [1.0]
