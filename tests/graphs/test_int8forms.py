"""Tests of what the keys of an int8 precision do to the graph: scales of weights, depthwise convolutions, shortcuts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, constants, graph, nodes, run
from trtbuild.core.spec import Lowering
from trtbuild.core.spec.precision import Precision
from trtbuild.engine.mapping import _of
from trtbuild.graphs import compute, lowered
from trtbuild.graphs.placement import Placement

INT8 = Lowering("int8", "int8", quantize_ops=("Conv", "MatMul"), rest="float16")
X = np.random.default_rng(1).uniform(-3, 3, (1, 4, 6, 6)).astype(np.float32)
BLOCK = """float[1,4,6,6] x => float[1,4,6,6] y {
    d = Conv<group = 4, pads = [1, 1, 1, 1]>(x, k) r = Relu(d) c = Conv(r, w, b) s = Add(c, x) y = Relu(s) }"""


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def block() -> onnx.ModelProto:
    return graph(BLOCK, k=draw(4, 1, 3, 3), w=draw(4, 4, 1, 1), b=[1, -1, 2, 0])


def written(lowering: Lowering) -> tuple[onnx.ModelProto, dict[str, str], lowered.LoweredGraph]:
    model, placement = block(), Placement(lowering)
    lowered.prepare(model, placement)
    chosen, kept = lowered.quantised_nodes(model, placement)
    ranges = dict.fromkeys(lowered.activations(model, placement, chosen), 6.0)
    found = lowered.write(model, placement, chosen, ranges)
    onnx.checker.check_model(model)
    return model, kept, found


@pytest.mark.parametrize(
    ("lowering", "one_scale"),
    [
        (INT8, True),
        (replace(INT8, rest="bfloat16"), True),
        (replace(INT8, rest="float32"), False),
        (replace(INT8, weight_scales="channel"), False),
        (replace(INT8, rest="float32", weight_scales="tensor"), True),
    ],
)
def test_weights_have_one_scale_where_the_rest_is_in_half_precision(lowering: Lowering, one_scale: bool) -> None:
    """Or where the precision says so; the promise and the name of the result stay."""
    model, _, _ = written(lowering)

    assert Counter(one.op_type for one in nodes(model))["Mul"] == one_scale
    assert any("/weights/scale" in name for name in constants(model)) is one_scale
    assert compute.promised(model)["Conv_2"] == "int8"
    assert "c" in {name for one in nodes(model) for name in one.output}


@pytest.mark.parametrize("rest", ["float16", "float32"])
def test_values_do_not_depend_on_the_form(rest: str) -> None:
    """But for the rounding of the rest."""
    results = [
        run(written(replace(INT8, rest=rest, weight_scales=form))[0], x=X)["y"]  # type: ignore[arg-type]
        for form in ("tensor", "channel")
    ]

    np.testing.assert_allclose(results[0], results[1], rtol=4e-3, atol=4e-3)


def test_depthwise_convolutions_stay_in_the_rest() -> None:
    """Unless the precision quantises them."""
    model, kept, _ = written(INT8)
    assert compute.promised(model)["Conv_0"] == "float16" and "depthwise" in kept["Conv_0"]

    model, kept, _ = written(replace(INT8, quantize_depthwise=True))
    assert compute.promised(model)["Conv_0"] == "int8" and not kept


def test_shortcuts_are_quantised_on_request() -> None:
    """The sum reads the dequantised input of the block; the range of that is measured, too."""
    model, _, found = written(replace(INT8, quantize_residual_adds=True))

    assert set(found.quantisation.scales) == {"r", "x"}
    assert "x/dq" in {name for one in nodes(model) if one.name == "Add_3" for name in one.input}
    assert set(written(INT8)[2].quantisation.scales) == {"r"}


def test_added_nodes_belong_to_the_tensor_in_their_name() -> None:
    """So that the layers of the compiled engine lead to the convolution's operation."""
    model, _, _ = written(INT8)
    added = [one.name for one in nodes(model) if one.name.startswith("c/")]

    assert added and {_of(name) for name in added} == {"c"}


@pytest.mark.parametrize("key", ["weight_scales", "quantize_depthwise", "quantize_residual_adds"])
def test_the_keys_are_for_int8(key: str) -> None:
    values = {"weight_scales": "tensor", "quantize_depthwise": True, "quantize_residual_adds": True}

    with pytest.raises(ValueError, match=key):
        Precision("float16", **{key: values[key]})  # type: ignore[arg-type]
