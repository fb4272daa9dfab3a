"""Tests of the emulation of bfloat16 by float32."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx

from tests.support.graphs import Array, copy, graph, run
from trtbuild.core.spec import Lowering
from trtbuild.graphs.cast import cast_graph
from trtbuild.graphs.placement import Placement
from trtbuild.graphs.rounding import emulate, low_types


def bf16(model: onnx.ModelProto) -> onnx.ModelProto:
    low = copy(model)
    cast_graph(low, Placement(Lowering("bf16", "bfloat16")))
    return low


def rounded(array: Array) -> Array:
    return array.astype(ml_dtypes.bfloat16).astype(np.float32)


def awkward() -> Array:
    """Values on, just above and just below the midpoint of two bfloat16 neighbours, of many magnitudes."""
    bits = np.arange(0x3F80, 0x3FA0, dtype=np.uint32)[:, None] << 16 | np.uint32([0x7FFF, 0x8000, 0x8001])
    values = bits.ravel().view(np.float32)
    return np.concatenate([values * scale for scale in (1, -1, 2.0**40, 2.0**-60)]).astype(np.float32)


def test_it_rounds_as_ml_dtypes_does() -> None:
    """Ties go to even, as in the reference implementation."""
    values = awkward()
    model = bf16(graph("float[N] x => float[N] y { y = Neg(x) }"))

    np.testing.assert_array_equal(run(emulate(model), x=values)["y"], -rounded(values))


def test_every_result_is_rounded() -> None:
    """Two operations round twice, not once at the end."""
    x = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    model = bf16(graph("float[N] x => float[N] y { a = Mul(x, x) y = Add(a, x) }"))
    low = rounded(x)

    np.testing.assert_array_equal(run(emulate(model), x=x)["y"], rounded(rounded(low * low) + low))


def test_constants_are_rounded_too() -> None:
    """A weight is a bfloat16 value stored as float32."""
    model = emulate(bf16(graph("float[1] x => float[1] y { y = Mul(x, w) }", w=[1.005])))

    np.testing.assert_array_equal(onnx.numpy_helper.to_array(model.graph.initializer[0]), rounded(np.float32([1.005])))


def test_branches_are_emulated() -> None:
    """What an If computes inside is rounded there."""
    model = bf16(
        graph(
            """float[3] x, bool c => float[3] y {
              y = If(c) <
                then_branch = yes () => (float[3] p) { p = Exp(x) },
                else_branch = no () => (float[3] q) { q = Neg(x) }>
            }"""
        )
    )
    x = np.float32([0.1, 1.7, -2.3])

    np.testing.assert_array_equal(run(emulate(model), x=x, c=np.array(True))["y"], rounded(np.exp(rounded(x))))


def test_the_original_is_left_alone() -> None:
    """The engine is built from the graph that was measured."""
    model = bf16(graph("float[1] x => float[1] y { y = Mul(x, w) }", w=[1.5]))
    before = model.SerializeToString(deterministic=True)
    emulate(model)

    assert model.SerializeToString(deterministic=True) == before


def test_inputs_and_outputs_are_float32() -> None:
    """The emulation takes and gives what the lowered graph does."""
    model = emulate(bf16(graph("float[1] x => float[1] y { y = Neg(x) }")))

    assert {v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)} == {onnx.TensorProto.FLOAT}


def test_bfloat16_is_found_wherever_it_is() -> None:
    """In constants, casts and bodies; a float32 graph has none."""
    plain = graph("float[1] x => float[1] y { y = Neg(x) }")

    assert not low_types(plain)
    assert low_types(bf16(plain))
    assert not low_types(graph("float[1] x => float[1] y { y = Cast<to = 1>(x) }"))
