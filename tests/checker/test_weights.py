"""Tests of weights without bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.checker.weights import FILE, settle


def settled(text: str, folder: Path, weights: dict[str, tuple[int, ...]], **constants: Any) -> onnx.ModelProto:
    model = graph(text, **constants)
    settle(model, weights, folder)
    onnx.save(model, folder / "model.onnx")
    onnx.checker.check_model(str(folder / "model.onnx"))
    return model


def test_an_input_becomes_an_initialiser_of_zeros(tmp_path: Path) -> None:
    """In a file that takes no place on the disk."""
    settled(
        "float[4,1024] x, float[1024,1024] w => float[4,1024] y { y = MatMul(x, w) }", tmp_path, {"w": (1024, 1024)}
    )
    loaded = onnx.load(tmp_path / "model.onnx")

    assert [v.name for v in loaded.graph.input] == ["x"]
    assert onnx.numpy_helper.to_array(loaded.graph.initializer[0]).shape == (1024, 1024)
    assert (tmp_path / FILE).stat().st_size == 4 << 20 and (tmp_path / FILE).stat().st_blocks * 512 < 1 << 16


FOLDED = [
    ("Transpose<perm=[3,2,0,1]>(w)", (8, 4, 3, 5)),
    ("Transpose(w)", (8, 4, 5, 3)),
    ("Reshape(w, shape)", (6, 80)),
    ("Identity(w)", (3, 5, 4, 8)),
    ("Unsqueeze(w, axes)", (1, 3, 5, 4, 8)),
]


@pytest.mark.parametrize(("expression", "shape"), FOLDED, ids=[e for e, _ in FOLDED])
def test_what_the_exporter_does_to_a_weight_is_folded_by_shape(
    expression: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """As it is folded by value where the values are there."""
    constants = {"shape": np.array([6, -1]), "axes": np.array([0])}
    text = f"float x, float[3,5,4,8] w => float[{','.join(map(str, shape))}] y {{ t = {expression} y = Mul(x, t) }}"
    model = settled(text, tmp_path, {"w": (3, 5, 4, 8)}, **constants)

    assert [node.op_type for node in model.graph.node] == ["Mul"]
    assert [tuple(t.dims) for t in model.graph.initializer if t.name == "t"] == [shape]


def test_every_weight_has_a_place_of_its_own(tmp_path: Path) -> None:
    """TensorRT takes two weights at one address for one, and refuses them when they differ in size."""
    text = "float[2,8] x, float[8,8] a, float[8,4] b => float[2,4] y { t = MatMul(x, a) y = MatMul(t, b) }"
    model = settled(text, tmp_path, {"a": (8, 8), "b": (8, 4)})
    offsets = [e.value for t in model.graph.initializer for e in t.external_data if e.key == "offset"]

    assert len(offsets) == len(set(offsets)) == 2
