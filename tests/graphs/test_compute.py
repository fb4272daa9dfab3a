"""Tests of the multiply-accumulates that a lowering counts, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtbuild.graphs.compute import multiply_accumulates


@pytest.mark.parametrize(
    ("op", "attributes", "left", "right", "out", "macs"),
    [
        ("MatMul", {}, ["n", 400], (400, 120), ["n", 120], 400 * 120),
        ("MatMul", {}, ["n", None], (400, 120), ["n", 120], 400 * 120),  # behind a Reshape to [batch, -1]
        ("MatMul", {}, [2, 8, 49, 32], (32, 49), [2, 8, 49, 49], 2 * 8 * 49 * 49 * 32),
        ("MatMul", {}, [3, 5], (5,), [3], 3 * 5),
        ("Gemm", {"transB": 1}, ["n", None], (10, 84), ["n", 10], 84 * 10),
        ("Gemm", {"transA": 1}, [84, "n"], (84, 10), ["n", 10], 84 * 10),
        ("Conv", {}, ["n", 3, 8, 8], (4, 3, 3, 3), ["n", 4, 6, 6], 4 * 6 * 6 * 27),
    ],
)
def test_a_node_counts_its_output_times_what_is_summed(
    op: str, attributes: dict[str, int], left: list[object], right: tuple[int, ...], out: list[object], macs: int
) -> None:
    """For one sample; an inner dimension that one operand leaves open comes from the other."""
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], name="node", **attributes)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, left)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(np.zeros(right, np.float32), "w")],
    )  # fmt: skip

    assert multiply_accumulates(helper.make_model(graph)) == {"node": macs}
