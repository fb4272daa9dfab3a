"""Tests of what one heavy ONNX node was made of."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from trtbuild.graphs.folding import TfOp, unfold


def op(text: str, *inputs: str) -> TfOp:
    kind, _, name = text.partition(" ")
    return TfOp(name, kind, tuple(f"{i}:0" for i in inputs), ((1, 4),))


def made_of(op_type: str, end: str, *given: TfOp, known: Collection[str] = ("x:0",)) -> tuple[str, list[str]] | None:
    ops = {one.name: one for one in (op("Placeholder x"), op("Const w"), *given)}
    found = unfold(op_type, [ops[end]], ops, known)
    return None if found is None else (found.op, [name for name, _ in found.members])


@pytest.mark.parametrize(
    ("op_type", "ops", "heart", "members"),
    [
        ("Conv", ["Conv2D c < x w", "BiasAdd b < c w"], "c", ["b"]),
        ("Conv", ["DepthwiseConv2dNative d < x w", "FusedBatchNormV3 n < d w"], "d", ["n"]),
        ("Conv", ["Conv2D c < x w", "Mul m < c w", "AddV2 a < w m"], "c", ["m", "a"]),
        ("Conv", ["Pad p < x w", "Conv2D c < p w", "Identity i < c", "BiasAdd b < i w"], "c", ["p", "b"]),
        ("Conv", ["SpaceToBatchND s < x w", "Conv2D c < s w", "BatchToSpaceND t < c w"], "c", ["s", "t"]),
        ("Conv", ["ExpandDims e < x w", "Conv2D c < e w", "Squeeze q < c", "BiasAdd b < q w"], "c", ["e", "q", "b"]),
        ("ConvTranspose", ["Conv2DBackpropInput c < w w x", "BiasAdd b < c w"], "c", ["b"]),
        ("Gemm", ["MatMul m < x w", "BiasAdd b < m w"], "m", ["b"]),
        ("MatMul", ["Einsum e < x w"], "e", []),
        ("LSTM", ["While l < x w", "TensorListStack t < l w"], "l", ["t"]),
    ],
)  # fmt: skip
def test_a_node_is_its_convolution_or_product(op_type: str, ops: list[str], heart: str, members: list[str]) -> None:
    """Whatever it is named after; what is around it is listed in the order of execution."""
    given = [op(head.strip(), *tail.split()) for head, _, tail in (text.partition("<") for text in ops)]

    assert made_of(op_type, given[-1].name, *given) == (heart, members)


def test_a_convolution_that_took_its_norms_name_gets_its_own_back() -> None:
    """TensorFlow's constant folding: the weights alone say whose convolution it was."""
    given = (op("Conv2D bn/mul_1", "x", "c/Conv2D/merged_input"), op("AddV2 bn/add_1", "bn/mul_1", "w"))

    assert made_of("Conv", "bn/add_1", *given) == ("c/Conv2D", ["bn/mul_1", "bn/add_1"])


def test_another_nodes_convolution_is_not_its() -> None:
    """A tensor of the ONNX graph is where the search ends, as is another kind of product."""
    given = (op("Conv2D c", "x", "w"), op("Relu r", "c"), op("AddV2 a", "r", "w"))

    assert made_of("Conv", "a", *given, known=("x:0", "r:0")) is None
    assert made_of("MatMul", "a", *given) is None


def test_padding_before_a_tensor_of_the_graph_is_not_folded() -> None:
    """It is a node of its own there."""
    given = (op("Pad p", "x", "w"), op("Conv2D c", "p", "w"))

    assert made_of("Conv", "c", *given, known=("x:0", "p:0")) == ("c", [])


def test_both_directions_of_an_lstm_are_named() -> None:
    """One ONNX node, two loops."""
    ops = {one.name: one for one in (op("While f", "x"), op("While b", "x"), op("StridedSlice s", "b"))}
    found = unfold("LSTM", [ops["f"], ops["s"]], ops, ("x:0",))

    assert found is not None
    assert (found.op, found.members) == ("f", (("b", "While"),))
