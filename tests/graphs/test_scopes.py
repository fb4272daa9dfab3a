"""Tests of the map from ONNX back to TensorFlow's operations and scopes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.graphs import graph, nodes
from trtbuild.graphs.folding import TfOp
from trtbuild.graphs.scopes import Cleaner, in_scope, names_of, scope_map


@pytest.mark.parametrize(
    ("op", "scope", "inside"),
    [
        ("net/head/conv/Conv2D", "head", True),
        ("net/head/conv/Conv2D", "net/head", True),
        ("net/head/conv/Conv2D", "head/conv/Conv2D", True),
        ("net/head/conv/Conv2D", "/head/", True),
        ("net/overhead/conv/Conv2D", "head", False),
        ("net/head2/conv/Conv2D", "head", False),
        ("net/head/conv/Conv2D", "net/conv", False),
        ("StatefulPartitionedCall/PartitionedCall_1/net/head/Conv2D", "net", True),
        ("StatefulPartitionedCall/net/Conv2D", "StatefulPartitionedCall", False),
    ],
)
def test_a_scope_is_a_run_of_whole_components(op: str, scope: str, inside: bool) -> None:
    """Never a part of a word, and never the wrappers that no author wrote."""
    assert in_scope(op, scope) is inside


def test_a_scope_is_found_under_its_clean_name() -> None:
    """Users write what is in their code; the traced name works as well."""
    traced = "net_1/head_1/Conv2D"
    names = names_of({"op": traced, "name": Cleaner([traced]).name(traced)})

    assert any(in_scope(name, "net/head") for name in names)
    assert any(in_scope(name, "head_1") for name in names)


def test_a_second_trace_loses_its_suffix() -> None:
    """Every `_1` goes where the name without it is free, and stays where it is not."""
    clean = Cleaner(
        ["net_1/conv_1/Conv2D", "other/conv/Conv2D", "other/conv_1/Conv2D", "StatefulPartitionedCall/net_1/add_2/Add"]
    )

    assert clean.name("net_1/conv_1/Conv2D") == "net/conv/Conv2D"
    assert clean.name("other/conv_1/Conv2D") == "other/conv_1/Conv2D"
    assert clean.name("StatefulPartitionedCall/net_1/add_2/Add") == "net/add_2/Add"


def test_a_name_that_is_only_a_suffix_stays() -> None:
    """Nothing would be left of `_1`."""
    assert Cleaner(["_1/x"]).name("_1/x") == "_1/x"


def test_an_operations_own_suffix_is_its_authors() -> None:
    """A norm's ``mul`` is folded away, and ``mul_1`` is another operation."""
    assert Cleaner(["net_1/bn_1/batchnorm/mul_1"]).name("net_1/bn_1/batchnorm/mul_1") == "net/bn/batchnorm/mul_1"


def tf_ops(*ops: TfOp) -> dict[str, TfOp]:
    return {op.name: op for op in ops}


def exported() -> Any:
    """conv -> relu, in NCHW; the convolution's node is named, its neighbours are tf2onnx's own."""
    model = graph(
        "float[1,3,8,9] x => float[1,4,8,9] y { t = Identity(x) c = Conv<pads = [1,1,1,1]>(t, w) y = Relu(c) }",
        w=[[[[0.0] * 3] * 3] * 3] * 4,
    )
    names = {"c": "net/conv/Conv2D:0", "y": "y", "t": "Transpose__1:0"}
    for made, name in zip(nodes(model), ("Transpose__1", "net/conv/Conv2D", "Relu__2"), strict=True):
        made.name = name
        made.input[:] = [names.get(n, n) for n in made.input]
        made.output[:] = [names.get(n, n) for n in made.output]
    return model


OPS = tf_ops(
    TfOp("x", "Placeholder", (), ((1, 8, 9, 3),)),
    TfOp("net/pre", "Sub", ("x:0",), ((1, 8, 9, 3),)),
    TfOp("net/copy", "Identity", ("net/pre:0",), ((1, 8, 9, 3),)),
    TfOp("net/conv/Conv2D", "Conv2D", ("net/copy:0", "w:0"), ((1, 8, 9, 4),)),
    TfOp("net/relu", "Relu", ("net/conv/Conv2D:0",), ((1, 8, 9, 4),)),
)


def test_named_nodes_and_tensors_map_by_name() -> None:
    """A node that kept TensorFlow's name is that operation; an output is the tensor it is named after."""
    made = scope_map(exported(), OPS, {"x": "x:0", "y": "net/relu:0"})

    assert made["nodes"]["net/conv/Conv2D"] == {
        "op": "net/conv/Conv2D", "type": "Conv2D", "name": "net/conv/Conv2D", "scope": "net/conv",
        "members": [],
    }  # fmt: skip
    assert made["tensors"]["net/conv/Conv2D:0"] == {"tensor": "net/conv/Conv2D:0", "layout": "NCHW"}


def test_an_unnamed_tensor_maps_by_the_slot_it_feeds() -> None:
    """It is what TensorFlow's operation reads there, identities skipped; so its maker has an origin too."""
    made = scope_map(exported(), OPS, {"x": "x:0", "y": "net/relu:0"})

    assert made["tensors"]["Transpose__1:0"]["tensor"] == "net/pre:0"
    assert made["nodes"]["Transpose__1"]["op"] == "net/pre"


def test_a_folded_bias_does_not_shift_the_slots() -> None:
    """tf2onnx names the convolution after its bias; what it reads is what the convolution reads."""
    model = graph("float[1,3,8,9] t, float[4,3,1,1] w => float[1,4,8,9] y { r = Relu(t) y = Conv(r, w) }")
    model.graph.node[1].name = "net/bias/BiasAdd"
    bias = TfOp("net/bias/BiasAdd", "BiasAdd", ("net/conv/Conv2D:0", "b:0"), ((1, 8, 9, 4),))

    assert scope_map(model, {**OPS, **tf_ops(bias)}, {})["tensors"]["r"]["tensor"] == "net/pre:0"


def test_padding_that_became_a_part_of_the_convolution_is_not_its_input() -> None:
    """The graph has no tensor of the padded values: what the node reads is not called by their name."""
    model = graph("float[1,3,8,9] t, float[4,3,1,1] w => float[1,4,8,9] y { r = Relu(t) y = Conv(r, w) }")
    model.graph.node[1].name = "c"
    ops = tf_ops(
        TfOp("x", "Placeholder", (), ((1, 8, 9, 3),)), TfOp("p", "Pad", ("x:0", "n:0"), ((1, 10, 11, 3),)),
        TfOp("c", "Conv2D", ("p:0", "w:0"), ((1, 8, 9, 4),)),
    )  # fmt: skip

    assert "r" not in scope_map(model, ops, {})["tensors"]


def test_a_transposed_convolution_reads_its_third_input() -> None:
    """TensorFlow's first is a shape."""
    model = graph("float[1,3,8,9] t, float[3,4,1,1] w => float[1,4,8,9] y { r = Relu(t) y = ConvTranspose(r, w) }")
    model.graph.node[1].name = "up"
    up = TfOp("up", "Conv2DBackpropInput", ("sizes:0", "w:0", "net/pre:0"), ((1, 8, 9, 4),))

    assert scope_map(model, {**OPS, **tf_ops(up)}, {})["tensors"]["r"]["tensor"] == "net/pre:0"


def test_a_product_without_a_name_is_found_by_what_is_made_of_it() -> None:
    """tf2onnx turns an einsum into several nodes, and the last has its name."""
    model = graph("float[2,4] x, float[4,4] w => float[4,2] y { m = MatMul(x, w) y = Transpose<perm=[1,0]>(m) }")
    einsum = TfOp("net/Einsum", "Einsum", ("x:0", "w:0"), ((4, 2),))
    made = scope_map(model, tf_ops(OPS["x"], einsum), {"x": "x:0", "y": "net/Einsum:0"})

    assert {made["nodes"][n.name]["name"] for n in model.graph.node} == {"net/Einsum"}


def test_what_is_inside_an_operations_nodes_is_not_its_input() -> None:
    """The last of the nodes that the exporter makes of it has its name, the others that name and an ending."""
    model = graph("float[2,4] x => float[4,2] y { s_pad = Neg(x) y = Transpose<perm=[1,0]>(s_pad) }")
    model.graph.node[1].name = "s"
    space = TfOp("s", "SpaceToBatchND", ("x:0",), ((4, 2),))

    assert "s_pad" not in scope_map(model, tf_ops(OPS["x"], space), {})["tensors"]


def test_the_maker_of_an_output_is_not_the_copy_behind_it() -> None:
    """TensorFlow's functions end in Identities, which no author wrote."""
    ops = {**OPS, **tf_ops(TfOp("Identity_1", "Identity", ("net/relu:0",), ((1, 8, 9, 4),)))}

    assert scope_map(exported(), ops, {"y": "Identity_1:0"})["nodes"]["Relu__2"]["op"] == "net/relu"


def test_a_change_of_layout_holds_what_it_was_given() -> None:
    """tf2onnx transposes the input, and no TensorFlow operation does; another permutation is not a layout."""
    text = "float[1,8,9,3] x => float[1,3,8,9] y, float[8,1,9,3] z {{ y = Transpose<perm=[0,3,1,2]>(x) {} }}"
    model = graph(text.format("z = Transpose<perm=[1,0,2,3]>(x)"))

    assert scope_map(model, OPS, {"x": "x:0"})["tensors"] == {
        "x": {"tensor": "x:0", "layout": "same"}, "y": {"tensor": "x:0", "layout": "NCHW"},
    }  # fmt: skip


def test_a_node_maps_by_the_output_it_makes() -> None:
    """The maker of a graph output is the operation of that output."""
    assert scope_map(exported(), OPS, {"y": "net/relu:0"})["nodes"]["Relu__2"]["op"] == "net/relu"


def test_what_has_no_origin_is_left_out() -> None:
    """Constants, and nodes that only the exporter knows."""
    made = scope_map(exported(), {}, {})

    assert made == {"nodes": {}, "tensors": {}}


@pytest.mark.parametrize(
    ("onnx_shape", "tf_shape", "layout"),
    [
        ("[1,3,8,9]", (1, 8, 9, 3), "NCHW"), ("[1,3,8,9]", (1, 3, 8, 9), "same"),
        ("[1,4,4,4]", (1, 4, 4, 4), None),
        ("[N,3,8,9]", (None, None, None, 3), "NCHW"), ("[2,3]", (2, 3), "same"),
        ("[2,3]", (3, 2), None), ("[2,3]", (2, 3, 1), None),
    ],
)  # fmt: skip
def test_the_layout_is_told_by_shapes(onnx_shape: str, tf_shape: tuple[int | None, ...], layout: str | None) -> None:
    """Same, transposed to NCHW, or unknown where shapes cannot tell."""
    model = graph(f"float{onnx_shape} x => float{onnx_shape} y {{ y = Neg(x) }}")
    made = scope_map(model, tf_ops(TfOp("x", "Placeholder", (), (tf_shape,))), {"x": "x:0"})

    assert made["tensors"]["x"]["layout"] == layout
