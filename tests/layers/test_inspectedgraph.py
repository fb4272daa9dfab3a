"""Tests of a graph under inspection: its tensors' types are those of the graph, not of its emulation."""

from __future__ import annotations

from pathlib import Path

import onnx

from tests.support.graphs import graph
from trtbuild.core.spec import Lowering
from trtbuild.graphs.cast import cast_graph
from trtbuild.graphs.placement import Placement
from trtbuild.layers.inspectedgraph import read_graph

NET = "float[2,4] x => float[2,4] y { m = MatMul(x, w)  y = Relu(m) }"


def test_a_float32_graph_is_run_as_it_is(tmp_path: Path) -> None:
    """Nothing is emulated, nothing holds low precision."""
    model = graph(NET, w=[[1.0] * 4] * 4)
    onnx.save(model, tmp_path / "model.onnx")
    found = read_graph("exported", tmp_path / "model.onnx")

    assert found.model == model
    assert (list(found.emulated), dict(found.low)) == ([], {})
    assert found.activations == ["m", "y"] and found.outputs == {"y"} < found.results


def test_an_output_that_is_cast_back_counts_as_what_it_is_cast_from(tmp_path: Path) -> None:
    """It was computed in float16, although its type is float32."""
    model = graph(NET, w=[[1.0] * 4] * 4)
    cast_graph(model, Placement(Lowering("fp16", "float16")))
    onnx.save(model, tmp_path / "half.onnx")
    found = read_graph("lowered", tmp_path / "half.onnx")

    assert found.emulated == ["float16"]
    assert found.computed_in["y"] == "float16" and "y" not in found.low
