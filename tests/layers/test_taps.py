"""Tests of graph surgery for inspection: what can be tapped, and a cut graph computes each layer by itself."""

from __future__ import annotations

import numpy as np
import onnx

from tests.support.graphs import graph, run
from trtbuild.graphs import rounding
from trtbuild.layers import taps

CHAIN = """float[2,3] x => float[2,3] z {
    a = Mul(x, w)
    b = Relu(a)
    s = Shape(x)
    z = Add(b, a)
}"""
X = np.array([[1, -2, 3], [4, -5, 6]], np.float32)


def chain() -> onnx.ModelProto:
    return graph(CHAIN, w=[2, 2, 2])


def test_activations_are_the_floating_point_results_in_order() -> None:
    """Shapes and constants are not among them."""
    assert taps.activations(chain()) == ["a", "b", "z"]


def test_results_of_constants_alone_are_no_activations() -> None:
    """Nothing of the input is in them."""
    assert taps.activations(graph("float[2] x => float[2] y { c = Neg(w) y = Add(x, c) }", w=[1, 2])) == ["y"]


def test_a_body_reads_what_it_captures() -> None:
    """The branches of an If take tensors from outside."""
    model = graph(
        """float[2] x, bool cond => float[2] y {
            h = Neg(x)
            y = If(cond) <then_branch = yes () => (float[2] t) { t = Abs(h) },
                          else_branch = no () => (float[2] e) { e = Identity(h) }>
        }"""
    )

    assert set(taps.reads(model.graph.node[1])) == {"cond", "h"}
    assert taps.parents(model, {"y"}) == {"y": ("cond", "x")}


def test_parents_are_the_nearest_watched_tensors() -> None:
    """Or graph inputs, where nothing before is watched."""
    assert taps.parents(chain(), {"b", "z"}) == {"b": ("x",), "z": ("b", "x")}


def test_taps_are_outputs_beside_the_models_own() -> None:
    """With the values that they have inside."""
    found = run(taps.with_outputs(chain(), ["a", "z"]), x=X)

    assert list(found) == ["z", "a"]
    np.testing.assert_array_equal(found["a"], X * 2)


def test_one_tensor_alone_needs_no_more_nodes_than_lie_before_it() -> None:
    """Everything after it is gone."""
    alone = taps.with_outputs(chain(), ["b"], only=True)

    assert [node.op_type for node in alone.graph.node] == ["Mul", "Relu"]
    np.testing.assert_array_equal(run(alone, x=X)["b"], np.maximum(X * 2, 0))


def test_a_cut_graph_gives_each_layer_what_it_is_fed() -> None:
    """Not with the results of the layer before."""
    local = taps.cut(chain(), {"a", "b", "z"}, ["b", "z"], {})
    a, b = np.full((2, 3), -1, np.float32), np.full((2, 3), 10, np.float32)
    found = run(local, a=a, b=b)

    np.testing.assert_array_equal(found["b//local"], np.zeros((2, 3)))
    np.testing.assert_array_equal(found["z//local"], np.full((2, 3), 9))
    assert {value.name for value in local.graph.input} == {"a", "b"}


def test_what_is_fed_to_a_low_precision_is_rounded_to_it() -> None:
    """As if the layer before had left its exact result in that precision."""
    model = rounding.emulate(graph("float16[1] x => float16[1] y { a = Abs(x) y = Neg(a) }"))
    local = taps.cut(model, {"a", "y"}, ["y"], {"a": onnx.TensorProto.FLOAT16, "y": onnx.TensorProto.FLOAT16})
    fed = np.array([1 + 2.0**-13], np.float32)

    assert run(local, **{"a//fed": fed})["y//local"] == -1.0


def test_the_model_itself_is_left_alone() -> None:
    """All functions work on copies."""
    model = chain()
    before = model.SerializeToString()
    taps.with_outputs(model, ["a"])
    taps.cut(model, {"a"}, ["a"], {})

    assert model.SerializeToString() == before
