"""Tests of the origin of tensors, and of choosing tensors by it."""

from __future__ import annotations

import pytest

from tests.support.graphs import graph, node
from trtbuild.layers.origins import Origin, is_asked_for, origins

NET = graph("float[2,4] x => float[2,4] y { m = MatMul(x, w)  y = Relu(m) }", w=[[1.0] * 4] * 4)
SCOPES = {
    "nodes": {node(NET, "MatMul").name: {"name": "net/head/dense/MatMul", "type": "BatchMatMulV2"}},
    "tensors": {"m": {"tensor": "net/head/dense/MatMul:0"}},
}


def test_a_mapped_tensor_is_told_in_tensorflows_words() -> None:
    """Tensors missing from the map keep their ONNX names."""
    found = origins(["m", "y"], NET, SCOPES)
    relu = node(NET, "Relu").name

    path = "net/head/dense/MatMul"
    assert found["m"] == Origin(f"{path}:0", "BatchMatMulV2", "MatMul", path, "net/head/dense")
    assert found["y"] == Origin("y", "Relu", "Relu", relu, "")


@pytest.mark.parametrize(
    ("scope", "op", "asked"),
    [
        (None, None, True), ("head", None, True), ("dense/MatMul:0", None, True), ("hea", None, False),
        (None, "MatMul", True), (None, "BatchMatMulV2", True), (None, "Conv", False), ("head", "Conv", False),
    ],
)  # fmt: skip
def test_a_tensor_is_asked_for_by_scope_and_type(scope: str | None, op: str | None, asked: bool) -> None:
    """Whole components of the scope; the type of TensorFlow or of ONNX; both where both are given."""
    origin = origins(["m"], NET, SCOPES)["m"]

    assert is_asked_for(origin, scope, op) is asked


def test_a_tensor_is_asked_for_by_what_was_folded_into_its_maker() -> None:
    """A norm inside the product, listed beside it."""
    entry = {**SCOPES["nodes"][node(NET, "MatMul").name], "members": [{"name": "net/bn/batchnorm/mul_1"}]}
    origin = origins(["m"], NET, {**SCOPES, "nodes": {node(NET, "MatMul").name: entry}})["m"]

    assert origin.members == ("net/bn/batchnorm/mul_1",)
    assert is_asked_for(origin, "bn", None)
