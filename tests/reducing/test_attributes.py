"""Tests of what attributes say of a model: nothing of its author's stays."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.reducing.anonymous import anonymise
from trtbuild.reducing.casefile import check_free


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


@pytest.mark.parametrize("name", ["Foo Bar", "1x;import os", "Ü"])
def test_a_name_that_no_case_can_have_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    """Or every later run of the suite would end there."""
    with pytest.raises(ConfigError, match="not an id of a case"):
        check_free(tmp_path, name)
