"""Tests of what a reduction is made of: folding, bodies, sizes, numbers, names."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.reducing.graphs import Contains
from tests.support.graphs import constants, graph, nodes
from trtbuild.reducing import anonymous, bodies, dims, weights
from trtbuild.reducing.folding import folded

LOOP = """int64 n, float[2] start => float[2] final {
    final = Loop(n, yes, start) <body = inner (int64 i, bool go, float[2] state) => (bool more, float[2] next) {
        more = Identity(go)
        secret_one = Relu(state)
        secret_two = Sin(secret_one)
        next = Softmax(secret_two)
    }>
}"""
FOREVER = 1e12


def loop() -> onnx.ModelProto:
    return graph(LOOP, yes=np.array(True))


def test_constant_parts_are_computed() -> None:
    """Shape arithmetic becomes one number; what depends on an input stays."""
    model = folded(graph("float[4] x => float[4] y { s = Add(a, b) t = Exp(s) y = Mul(x, t) }", a=[1.0], b=[-1.0]))

    assert [node.op_type for node in model.graph.node] == ["Mul"]
    assert constants(model)["t"].tolist() == [1.0]


def test_nodes_of_a_body_go_when_the_fault_does_not_need_them() -> None:
    """A loop stays a valid one."""
    found = bodies.simplify(loop(), Contains("Loop", "Sin").shows, FOREVER)

    inner = [n.op_type for n in nodes(found) if n.op_type not in ("Constant", "Identity")]
    assert inner == ["Loop", "Sin"]
    onnx.checker.check_model(found, full_check=True)


def test_sizes_become_small_everywhere_at_once() -> None:
    """Of input, weight and shape constant."""
    text = "float[1,48,9] x => float[1,48,9] y { z = Add(x, w) y = Reshape(z, s) }"
    model = graph(text, w=np.ones((48, 9), np.float32), s=np.array([1, 48, 9]))
    found = dims.smaller(model, Contains("Reshape").shows, FOREVER)

    assert constants(found)["s"].tolist() == [1, 2, 2] and constants(found)["w"].shape == (2, 2)


def test_a_size_that_would_not_fit_is_not_offered() -> None:
    """Seven and five are twelve, two and five are not."""
    text = "float[7] x, float[5] z => float[12] y { c = Concat <axis = 0> (x, z) y = Add(c, w) }"
    assert dims.with_size(graph(text, w=np.ones(12, np.float32)), 7, 2) is None


@pytest.mark.parametrize(
    ("old", "low", "high"),
    [(np.full(8, 3.0, np.float32), 0.5, 4.0), (np.array([-3.0, 1.0], np.float16), -4.0, 4.0),
     (np.array([-100, 90, 4], np.int8), -128.0, 127.0), (np.arange(200), 0.0, 199.0)],
)  # fmt: skip
def test_numbers_are_drawn_in_the_range_of_the_old_ones(old: np.ndarray, low: float, high: float) -> None:
    """Same dtype and shape, same signs, same power of two; never the same numbers."""
    new = weights.drawn(old, 1)

    assert (new.dtype, new.shape) == (old.dtype, old.shape)
    assert low <= new.min() and new.max() <= high and not np.array_equal(new, old)


def test_shapes_axes_and_scales_of_a_resize_are_no_weights() -> None:
    """They say how, not what; a long table of integers is the user's."""
    text = "float[1,1,4,4] x => float[1,1,8,8] y { r = Resize(x, , scales) y = Reshape(r, shape) }"
    own = {"scales": np.array([1, 1, 2, 2], np.float32), "shape": np.array([1, 1, 8, 8]), "table": np.arange(99)}
    model = graph(text, **own)
    names = [t.name for t in weights.tensors(model.graph)]

    assert [names[place] for place in weights.own_values(model)] == ["table"]


def test_everything_gets_another_name() -> None:
    """Nodes, tensors, dimensions and bodies; the graph computes the same."""
    model = loop()
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "secret_batch"
    model.metadata_props.add(key="secret_key", value="secret_value")
    renamed = anonymous.anonymise(model)

    assert b"secret" not in model.SerializeToString() and renamed.tensors["start"] == "t1"
    assert all(node.name.startswith("n") for node in nodes(model))
    onnx.checker.check_model(model)
