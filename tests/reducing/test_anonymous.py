"""Tests of names, texts and numbers that say something about a model: nothing of its author's stays."""

from __future__ import annotations

import onnx
import pytest

from tests.reducing.graphs import loop
from tests.support.graphs import nodes
from trtbuild.reducing.anonymous import anonymise


def test_everything_gets_another_name() -> None:
    """Nodes, tensors, dimensions and bodies; the graph computes the same."""
    model = loop()
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "secret_batch"
    model.metadata_props.add(key="secret_key", value="secret_value")
    renamed = anonymise(model)

    assert b"secret" not in model.SerializeToString() and renamed.tensors["start"] == "t1"
    assert all(node.name.startswith("n") for node in nodes(model))
    onnx.checker.check_model(model)


def test_numbers_and_texts_of_a_foreign_operation_are_replaced() -> None:
    """It may keep its weights there."""
    make = onnx.helper
    node = make.make_node("Secret", ["x"], ["y"], domain="acme", recipe="sauce", coefficients=[0.123, 0.654], bias=0.77)
    scaler = make.make_node("Scaler", ["y"], ["z"], domain="ai.onnx.ml", offset=[0.111], scale=[1.234])
    values = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xz"]
    graph = make.make_graph([node, scaler], "g", values[:1], values[1:])
    model = make.make_model(graph, opset_imports=[make.make_opsetid(d, 1) for d in ("acme", "ai.onnx.ml")])
    anonymise(model)
    text = str(model)

    assert not [secret for secret in ("sauce", "0.123", "0.654", "0.77", "0.111", "1.234", "acme") if secret in text]


def test_settings_of_onnx_operations_stay() -> None:
    """The fault may hang on them."""
    make = onnx.helper
    node = make.make_node("LeakyRelu", ["x"], ["y"], alpha=0.3)
    values = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy"]
    model = make.make_model(make.make_graph([node], "g", values[:1], values[1:]))
    anonymise(model)

    assert model.graph.node[0].attribute[0].f == pytest.approx(0.3)
