"""Tests that the importer's network is compared with the graph, tensor by tensor."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtbuild.graphs.agreement import TensorKind, disagreements

FLOAT = TensorProto.FLOAT


def two_convolutions() -> onnx.ModelProto:
    """x [n, 3, 8, 8] -> first -> a [n, 4, 8, 8] -> relu -> b -> second -> y [n, 5, 8, 8]."""
    weights = {"w": np.zeros((4, 3, 1, 1), np.float32), "v": np.zeros((5, 4, 1, 1), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "v"], ["y"], name="second"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", FLOAT, ["n", 5, 8, 8])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


RIGHT = {
    "a": TensorKind("float32", (None, 4, 8, 8)), "b": TensorKind("float32", (None, 4, 8, 8)),
    "y": TensorKind("float32", (None, 5, 8, 8)), "(Unnamed Layer* 3) [Shuffle]_output": TensorKind("int64", (4,)),
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"a": TensorKind("float32", (1, 4, 8, 8))},  # a dimension that is free in the graph
        {"a": TensorKind("float32", (None, None, 8, 8))},  # one that TensorRT knows later
        {"a": TensorKind("float32", None)},
    ],
)
def test_what_agrees_is_silent(change: dict[str, TensorKind]) -> None:
    """So are tensors that TensorRT adds, and what is not known on either side."""
    assert disagreements(two_convolutions(), RIGHT | change) == ()


@pytest.mark.parametrize(
    ("name", "kind", "node", "words"),
    [
        ("a", TensorKind("float32", (None, 4, 7, 8)), "first", "shape [?, 4, 8, 8] in the graph, and [?, 4, 7, 8] in"),
        ("b", TensorKind("float32", (None, 4, 64)), "relu", "and [?, 4, 64] in TensorRT's network"),
        ("b", TensorKind("float32", ()), "relu", "and [] in TensorRT's network"),
        ("y", TensorKind("float16", (None, 5, 8, 8)), "second", "float32 in the graph, and float16 in TensorRT's"),
        ("a", TensorKind("int8", (None, 4, 8, 8)), "first", "float32 in the graph, and int8 in TensorRT's network"),
        ("y", TensorKind("float32", (None, 5, 8, 8, 1)), "second", "and [?, 5, 8, 8, 1] in TensorRT's network"),
    ],
)
def test_another_type_or_shape_is_named_with_its_node(name: str, kind: TensorKind, node: str, words: str) -> None:
    """As a misreading."""
    (found,) = disagreements(two_convolutions(), RIGHT | {name: kind})

    assert (found.node, found.stage) == (node, "misread")
    assert words in found.words


def test_what_follows_from_a_disagreement_is_not_another() -> None:
    """The first node on the way is named."""
    wrong = {name: TensorKind("float16", kind.shape) for name, kind in RIGHT.items() if "Unnamed" not in name}

    assert [found.node for found in disagreements(two_convolutions(), wrong)] == ["first"]


@pytest.mark.parametrize(
    ("stated", "made", "silent"),
    [
        (TensorProto.DOUBLE, "float32", True),  # a warning of its own
        (TensorProto.UINT8, "int32", True),  # every value fits
        (TensorProto.UINT8, "int8", False),
        (TensorProto.INT64, "int32", False),
        (TensorProto.INT32, "float32", False),
        (TensorProto.FLOAT16, "float32", False),
        (TensorProto.FLOAT, "bfloat16", False),
        (TensorProto.BOOL, "int8", False),
    ],
)
def test_a_type_is_silent_only_where_it_loses_nothing_or_is_warned_of(stated: int, made: str, silent: bool) -> None:
    """Of a cast's result."""
    node = helper.make_node("Cast", ["x"], ["y"], name="cast", to=stated)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", FLOAT, [3])],
        [helper.make_tensor_value_info("y", stated, [3])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    assert (disagreements(model, {"y": TensorKind(made, (3,))}) == ()) is silent


@pytest.mark.parametrize(("height", "silent"), [(13, True), (12, True), (14, False), (11, False)])
def test_a_resize_may_round_its_size_but_not_lose_a_pixel(height: int, silent: bool) -> None:
    """5 times 2.6 as float32 is 12.9999998: ONNX's inference says 12, and every runtime makes 13."""
    scales = numpy_helper.from_array(np.array([1, 1, 2.6, 1.6], np.float32), "scales")
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["r"], name="resize"),
        helper.make_node("Relu", ["r"], ["y"], name="relu"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", FLOAT, [1, 2, 5, 5])],
        [helper.make_tensor_value_info("y", FLOAT, None)], [scales],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    kind = TensorKind("float32", (1, 2, height, 8))

    assert [found.node for found in disagreements(model, {"r": kind, "y": kind})] == ([] if silent else ["resize"])
