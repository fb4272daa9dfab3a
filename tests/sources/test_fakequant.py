"""Tests of what tf2onnx is kept from doing to fake quantisation, with stand-ins for its nodes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trtbuild.sources import fakequant

FLOAT = 1  # onnx.TensorProto.FLOAT


def node(kind: str, *values: object, shape: tuple[int, ...] = (1, 8), dtype: int = FLOAT, **attributes: object) -> Any:
    """An operation whose inputs are constants, or None for a computed one; and its graph."""
    inputs = [
        SimpleNamespace(type="Const", is_const=lambda: True, get_tensor_value=lambda as_list, v=v: np.array(v))
        if v is not None
        else SimpleNamespace(type="Relu", is_const=lambda: False)
        for v in values
    ]
    graph = SimpleNamespace(get_dtype=lambda name: dtype, get_shape=lambda name: list(shape))
    held = SimpleNamespace(
        type=kind, inputs=inputs, output=["y:0"], get_attr_value=lambda name, other=None: attributes.get(name, other)
    )
    return graph, held


def test_a_range_from_variables_is_read_through_identities() -> None:
    """A frozen graph reads them so."""
    graph, held = node("FakeQuantWithMinMaxVars", None, np.float32(-1), np.float32(1), narrow_range=1)
    held.inputs[1] = SimpleNamespace(type="Identity", inputs=[held.inputs[1]])

    grid = fakequant._read(graph, held)

    assert (grid.low.item(), grid.high.item(), grid.axis) == (-127, 127, None)
    assert grid.scale.item() == np.float32(2) / np.float32(254)


def test_channels_are_the_last_axis_or_the_given_one() -> None:
    """TensorFlow's per-channel form has no choice."""
    ends = (np.float32([-1, -2]), np.float32([1, 2]))

    last = fakequant._read(*node("FakeQuantWithMinMaxVarsPerChannel", None, *ends, shape=(3, 3, 1, 2)))
    given = fakequant._read(
        *node("QuantizeAndDequantizeV4", None, *ends, shape=(2, 5), axis=0, range_given=1, signed_input=1)
    )

    assert (last.axis, given.axis) == (3, 0)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (node("FakeQuantWithMinMaxArgs", None, num_bits=4), "quantises to 4 bits, and int8 has 8"),
        (node("QuantizeAndDequantizeV3", None, -1.0, 1.0, 16, range_given=1), "quantises to 16 bits"),
        (node("QuantizeAndDequantizeV3", None, -1.0, 1.0, None, range_given=1), "an unknown number of bits"),
        (node("FakeQuantWithMinMaxVars", None, None, 1.0), "has a range that is computed from the data"),
        (node("QuantizeAndDequantizeV2", None, 0.0, 0.0), "takes a new range from every tensor"),
        (node("QuantizeAndDequantizeV2", None, 0.0, 1.0, dtype=10, range_given=1), "another type than float32"),
        (node("FakeQuantWithMinMaxVars", None, float("nan"), 1.0), "has a range that is not finite"),
        (node("QuantizeAndDequantize", None), "is deprecated"),
    ],
)
def test_what_int8_cannot_hold_is_refused_with_a_reason(held: Any, why: str) -> None:
    """By name, in the export's message."""
    assert why in fakequant._read(*held)


def test_weights_without_a_given_range_have_their_own() -> None:
    """The range of a constant is a constant."""
    grid = fakequant._read(*node("QuantizeAndDequantizeV2", np.float32([[-2, 1], [0.5, 4]]), 0.0, 0.0, axis=1))

    assert grid.scale.tolist() == [np.float32(2) / np.float32(128), np.float32(4) / np.float32(127)]
