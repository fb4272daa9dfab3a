"""Tests of ready-made ONNX files as sources: their inputs against the config's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph, run
from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.graphs.graph import input_dims
from trtbuild.sources import onnxsource

SCALAR = {"dtype": "float32", "shape": []}
FOUR = {"dtype": "float32", "shape": [4]}


def loaded(folder: Path, model: onnx.ModelProto, **inputs: Any) -> onnx.ModelProto:
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    found: onnx.ModelProto = onnxsource.load_source(folder / "m.onnx", "m.onnx", inputs)
    return found


def test_an_input_with_a_default_is_a_constant_unless_it_is_asked_for(tmp_path: Path) -> None:
    """A rate for training, say."""
    model = graph("float[4] x, float rate => float[4] y { y = Mul(x, rate) }", rate=np.array(3, np.float32))
    x = np.ones(4, np.float32)

    assert run(loaded(tmp_path, model, x=FOUR), x=x)["y"].tolist() == [3] * 4
    assert run(loaded(tmp_path, model, x=FOUR, rate=SCALAR), x=x, rate=np.array(2, np.float32))["y"].tolist() == [2] * 4


def test_an_input_that_nothing_reads_may_be_left_out(tmp_path: Path) -> None:
    """One that is read may not."""
    model = graph("float[4] x, float[4] z => float[4] y { d = Neg(z) y = Relu(x) }")

    assert [value.name for value in loaded(tmp_path, model, x=FOUR).graph.input] == ["x"]
    with pytest.raises(ConfigError, match="the model's input 'x' is missing"):
        loaded(tmp_path, model, z=FOUR)


@pytest.mark.parametrize("dim", [-1, 0])
def test_a_dimension_below_one_is_a_dynamic_one(dim: int, tmp_path: Path) -> None:
    """Some exporters write it so."""
    model = graph("float[n,4] x => float[n,4] y { y = Relu(x) }")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = dim
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    found = loaded(tmp_path, model, x={"dtype": "float32", "shape": [None, 4]})

    assert input_dims(onnxsource.parse(tmp_path / "m.onnx", "m.onnx")) == {"x": [None, 4]}
    assert run(found, x=np.zeros((3, 4), np.float32))["y"].shape == (3, 4)


def test_a_scalar_input_stays_one(tmp_path: Path) -> None:
    """Its shape is known, and has no dimension."""
    (value,) = loaded(tmp_path, graph("float x => float y { y = Relu(x) }"), x=SCALAR).graph.input

    assert value.type.tensor_type.HasField("shape") and not value.type.tensor_type.shape.dim


def test_an_output_that_is_an_input_gets_a_name_of_its_own(tmp_path: Path) -> None:
    """So that the reference's outputs have the engine's names."""
    model = graph("float[4] x => float[4] y, float[4] x { y = Relu(x) }")

    assert sorted(run(loaded(tmp_path, model, x=FOUR), x=np.ones(4, np.float32))) == ["x_output", "y"]


@pytest.mark.parametrize(
    ("content", "says"), [(b"junk", "not a valid ONNX model"), (b"", "it has no graph")], ids=["junk", "empty"]
)
def test_what_is_not_onnx_is_said(content: bytes, says: str, tmp_path: Path) -> None:
    """Named as the config does."""
    (tmp_path / "m.onnx").write_bytes(content)

    with pytest.raises(SourceError, match=f"models/m.onnx: .*{says}"):
        onnxsource.parse(tmp_path / "m.onnx", "models/m.onnx")


def test_an_input_that_is_no_tensor_is_named(tmp_path: Path) -> None:
    """TensorRT knows no sequences."""
    model = graph("float[4] x => float[4] y { y = Relu(x) }")
    kind = onnx.helper.make_tensor_sequence_value_info("s", onnx.TensorProto.FLOAT, None)
    model.graph.input.append(kind)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(SourceError, match="its input 's' is not a tensor"):
        onnxsource.parse(tmp_path / "m.onnx", "m.onnx")
