"""Tests of casting the bodies of loops and branches to half precision."""

from __future__ import annotations

import numpy as np
import onnx

from tests.graphs.test_cast import NETS, loop_net, lowered
from tests.support.graphs import graph, node, nodes, run


def test_a_branch_may_give_back_a_constant() -> None:
    """A body's output that nothing computes is a constant in the low precision."""
    model = graph(
        """float[1] x, bool c => float[1] y {
          y = If(c) <
            then_branch = yes () => (float[1] k) <float[1] k = {1.5}> { unread = Neg(k) },
            else_branch = no () => (float[1] q) { q = Neg(x) }>
        }"""
    )
    low, _ = lowered(model)
    onnx.checker.check_model(low, full_check=True)

    np.testing.assert_array_equal(run(low, x=np.float32([2]), c=np.array(True))["y"], [1.5])


def test_a_kept_loop_keeps_its_body() -> None:
    """Nothing inside a node that stays float32 is cast."""
    low, done = lowered(loop_net(), kept=("Loop",))

    assert done.kept == ["Loop_1"]
    assert all(a.i != onnx.TensorProto.FLOAT16 for n in nodes(low) for a in n.attribute if a.name == "to")
    np.testing.assert_array_equal(*(run(m, **NETS["loop"][1])["y"] for m in (low, loop_net())))


def test_bodies_compute_in_half() -> None:
    """States, captures and outputs of a body are in the low precision, so that it casts nothing in each iteration."""
    low, _ = lowered(loop_net())
    body = node(low, "Loop").attribute[0].g
    kinds = [v.type.tensor_type.elem_type for v in (*body.input, *body.output)]

    assert kinds.count(onnx.TensorProto.FLOAT16) == 3
    assert onnx.TensorProto.FLOAT not in kinds


def test_constants_of_a_body_are_clamped_too() -> None:
    """A Constant node in a branch has the same range as an initialiser."""
    model = graph(
        """float[1] x, bool c => float[1] y {
          y = If(c) <
            then_branch = yes () => (float[1] p) { k = Constant<value = float[1] {1e6}>() p = Add(x, k) },
            else_branch = no () => (float[1] q) { q = Neg(x) }>
        }"""
    )
    low, done = lowered(model)

    assert np.isfinite(run(low, x=np.zeros(1, np.float32), c=np.array(True))["y"]).all()
    assert list(done.clamped.values()) == [1e6]


def test_an_output_that_a_body_captures_keeps_its_name() -> None:
    """The contract holds for outputs that a branch reads."""
    model = graph(
        """float[1] x, bool c => float[1] y, float[1] z {
          y = Exp(x)
          z = If(c) <
            then_branch = yes () => (float[1] p) { p = Neg(y) },
            else_branch = no () => (float[1] q) { q = Exp(y) }>
        }"""
    )
    low, _ = lowered(model)

    assert [output.name for output in low.graph.output] == ["y", "z"]
