"""Tests of tapped runs: the requested tensors come back, final outputs are kept, and groups fit the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.layers.inspectedgraph import InspectedGraph, read_graph
from trtbuild.layers.tappedruns import TappedRuns, runs_of

X = np.arange(8, dtype=np.float32).reshape(2, 4) - 4


@pytest.fixture
def net(tmp_path: Path) -> InspectedGraph:
    """Two results, the second of them the output."""
    onnx.save(graph("float[n,4] x => float[n,4] y { m = Neg(x)  y = Relu(m) }"), tmp_path / "m.onnx")
    return read_graph("lowered", tmp_path / "m.onnx")


def runs(mode: str = "all", max_bytes: int = 100) -> TappedRuns:
    options: dict[str, Any] = {"mode": mode, "max_bytes": max_bytes, "runtime": {"providers": ["CPUExecutionProvider"]}}
    return runs_of(options, {"x": X})


@pytest.mark.parametrize(("mode", "kept"), [("all", ["y"]), ("per_op", [])])
def test_tapped_values_come_back_and_outputs_are_kept(net: InspectedGraph, mode: str, kept: list[str]) -> None:
    """A single conversion computes only its tensor; a tensor that the graph does not compute is missing."""
    made = runs(mode)
    values = made.run(net, ["m", "elsewhere"])

    assert list(values) == ["m"] and np.array_equal(values["m"], -X)
    assert sorted(made.final.seen["lowered"]) == kept
    assert net.outputs == {"y"}


def test_arrays_of_a_group_fit_as_often_as_they_are_held() -> None:
    """Half the budget for two copies; in per-op mode every name has a run."""
    sizes = {"a": 25, "b": 25, "c": 25}

    assert runs().groups(sizes, copies=1) == [["a", "b", "c"]]
    assert runs().groups(sizes, copies=2) == [["a", "b"], ["c"]]
    assert runs("per_op").groups(sizes, copies=2) == [["a"], ["b"], ["c"]]
