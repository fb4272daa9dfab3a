"""Tests of emulated number formats against oracles written apart from them: bit for bit, special values included."""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.graphs import Array, copy, graph, nodes, run
from trtbuild.core.spec import Lowering
from trtbuild.graphs import blocks, lowered, lowtypes, qdq
from trtbuild.graphs.compute import promised
from trtbuild.graphs.graph import opset_of
from trtbuild.graphs.placement import Placement
from trtbuild.graphs.rounding import emulate, low_types

COUNT = 1_000_000
E4M3 = np.unique(np.array([(-1) ** (b >> 7) * (2.0 ** ((b >> 3 & 15) - 7) * (1 + (b & 7) / 8) if b >> 3 & 15
                         else (b & 7) * 2.0**-9) for b in range(256) if b & 127 != 127]))  # fmt: skip
E2M1 = np.array([-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6])
INT8 = np.arange(-127.0, 128)


@cache
def values() -> Array:
    """Every kind of float32, and many in the range of the formats."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 2**32, COUNT // 2, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = rng.standard_normal(COUNT // 2) * 10.0 ** rng.uniform(-4, 4, COUNT // 2)
    special: list[float] = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 2.0**-9, 2.0**-10, 448,
                            464, 465, 480, 3e38]  # fmt: skip
    with np.errstate(invalid="ignore"):
        return np.concatenate([drawn, near, special]).astype(np.float32)


def nearest(ratio: Array, grid: Array) -> Array:
    """The nearest of a sorted grid, ties to the even place (counted from zero), beyond its ends the ends; NaN stays."""
    middles = ((grid[1:] + grid[:-1]) / 2).astype(np.float64)
    zero = int(np.searchsorted(grid, 0.0))
    below = np.searchsorted(middles, ratio.astype(np.float64), side="left")
    tie = (below < len(middles)) & (ratio == middles[np.minimum(below, len(middles) - 1)])
    place = below + (tie & ((below - zero) % 2 != 0))
    return np.where(np.isnan(ratio), np.nan, grid[np.minimum(place, len(grid) - 1)]).astype(np.float32)


def same(found: Array, wanted: Array) -> None:
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_array_equal(found[~np.isnan(found)], wanted[~np.isnan(wanted)])


def pair(dtype: object, scale: float) -> onnx.ModelProto:
    nodes_ = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
              helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])]  # fmt: skip
    constants = [numpy_helper.from_array(np.array(scale, np.float32), "s"),
                 numpy_helper.from_array(np.zeros((), dtype), "z")]  # type: ignore[call-overload]  # fmt: skip
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in "xy"]
    made = helper.make_graph(nodes_, "g", sides[:1], sides[1:], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


@pytest.mark.parametrize("scale", [1.0, 0.0137])
@pytest.mark.parametrize("kind", ["int8", "float8"])
def test_a_pair_rounds_as_the_oracle(kind: str, scale: float) -> None:
    """ONNX Runtime's own operations compute a build's numbers: nearest, ties to even, saturated."""
    grid, dtype = (INT8, np.int8) if kind == "int8" else (E4M3, ml_dtypes.float8_e4m3fn)
    x = values()
    middles = ((E4M3[1:] + E4M3[:-1]) / 2 * scale).astype(np.float32)
    x = np.concatenate([x, middles, np.nextafter(middles, np.float32(9e9)), np.nextafter(middles, np.float32(-9e9))])
    if kind == "int8":
        x = x[np.abs(x) < 127 * scale]  # it has no NaN, and -128 is left to the scale to avoid
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = x / np.float32(scale)

    same(run(pair(dtype, scale), x=x)["y"], nearest(ratio, grid) * np.float32(scale))


@pytest.mark.parametrize("kind", ["int8", "float8"])
def test_weights_round_as_the_oracle(kind: str) -> None:
    """Every channel reaches the type's largest number."""
    rng = np.random.default_rng(1)
    weight = (rng.standard_normal((1000, 1000)) * 10.0 ** rng.uniform(-3, 3, (1000, 1))).astype(np.float32)
    found, scales = qdq.quantise_weight(weight, 0, kind=kind)  # type: ignore[arg-type]
    grid, largest = (INT8, 127) if kind == "int8" else (E4M3, 448)

    same(found.astype(np.float32), nearest(weight / scales[:, None], grid))
    assert (np.abs(found.astype(np.float32)).max(axis=1) == largest).all()


@pytest.mark.parametrize("types", [(), ("float16",), ("bfloat16",)])
def test_int4_blocks_round_as_the_oracle(types: tuple[lowtypes.FloatType, ...]) -> None:
    """Along the input channels; scales are numbers that the graph's types hold."""
    rng = np.random.default_rng(2)
    weight = (rng.standard_normal((1024, 1000)) * 10.0 ** rng.uniform(-2, 2, (1024, 1))).astype(np.float32)
    found, scales = blocks.int4(weight, 0, 32, types)
    largest = np.abs(weight.reshape(32, 32, 1000)).max(axis=1)

    assert scales.shape == (32, 1000) and (scales.astype(np.float64) * 7 >= largest * (1 - 1e-7)).all()
    for name in types:
        low = ml_dtypes.bfloat16 if name == "bfloat16" else np.float16
        np.testing.assert_array_equal(scales.astype(low).astype(np.float32), scales)
    same(found.astype(np.float32), nearest(weight / np.repeat(scales, 32, axis=0), np.arange(-7.0, 8)))


def test_float4_blocks_round_as_the_oracle() -> None:
    """Two levels of scales, and their product as float16 holds it."""
    rng = np.random.default_rng(3)
    weight = (rng.standard_normal((1000, 1024)) * 10.0 ** rng.uniform(-2, 2, (1000, 1))).astype(np.float32)
    weight[:2, :16] = 0
    found, scales, whole = blocks.float4(weight, 1, "float16")
    largest = np.abs(weight.reshape(1000, 64, 16)).max(axis=2)
    steps = nearest(largest / (6 * whole), E4M3)

    assert whole == np.float32(np.abs(weight).max() / (6 * 448))
    same(scales.astype(np.float32), steps)
    product = np.repeat((steps * whole).astype(np.float16).astype(np.float32), 16, axis=1)
    ratio = np.where(product == 0, 0, weight / np.where(product == 0, 1, product))
    same(found.astype(np.float32), nearest(ratio, E2M1))


def oracle_of_activations(x: Array, whole: np.float32) -> Array:
    """What TensorRT documents for TRT_FP4DynamicQuantize, then dequantised, in float32."""
    by_block = x.reshape(-1, 16)
    largest = np.abs(by_block).max(axis=1, keepdims=True)
    steps = nearest((largest / np.float32(6)) / whole, E4M3) * whole
    with np.errstate(all="ignore"):
        ratio = np.where(steps == 0, np.float32(0), by_block / np.where(steps == 0, np.float32(1), steps))
    return (nearest(ratio, E2M1) * steps).reshape(x.shape)


def test_activations_in_float4_round_as_the_oracle() -> None:
    """The emulation graph is what TensorRT's operation does, on the same numbers; infinity saturates."""
    rng = np.random.default_rng(4)
    x = values()[: COUNT // 2 // 16 * 16].reshape(-1, 16)
    x = x[np.isfinite(x).all(axis=1) & (np.abs(x) < 1e30).all(axis=1)]
    own = (rng.standard_normal((COUNT // 16, 16)) * 10.0 ** rng.uniform(-4, 4, (COUNT // 16, 1))).astype(np.float32)
    own[:4] = [[0] * 16, [np.inf] + [1.0] * 15, [6.0] * 16, [1e-45] * 16]
    ties = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6], np.float32)
    ties = np.concatenate([ties, -ties])
    x = np.concatenate([x, own, ties[None] * 448 * np.float32(2.0**-8)])
    model = graph("float[N,16] x => float[N,16] y { y = MatMul(x, w) }", w=np.eye(16, dtype=np.float32))
    placement = Placement(Lowering("n", "float4", quantize_ops=("MatMul",), activations=True))
    lowered.prepare(model, placement)
    chosen, _ = lowered.quantised_nodes(model, placement)
    lowered.write(model, placement, chosen, {"x": 6 * 448 * 2.0**-8})
    emulated = emulate(model)
    watched = next(n for n in nodes(emulated) if n.name == "x/dq").output[0]
    del emulated.graph.output[:]
    emulated.graph.output.append(helper.make_empty_tensor_value_info(watched))

    same(run(emulated, x=x)[watched], oracle_of_activations(x, np.float32(2.0**-8)))


NET = """float[N,32,8,8] x => float[N,10] y { a = Conv<pads = [1,1,1,1]>(x, v) r = Relu(a) o = Conv(r, s)
  p = GlobalAveragePool(o) f = Flatten(p) y = MatMul(f, k) }"""


def net() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    shapes = {"v": (64, 32, 3, 3), "s": (64, 64, 1, 1), "k": (64, 10)}
    drawn = {n: (rng.standard_normal(s) / np.sqrt(np.prod(s[1:]))).astype(np.float32) for n, s in shapes.items()}
    return graph(NET, **drawn)


@pytest.mark.parametrize(
    ("lowering", "opset", "kind", "tolerance"),
    [
        (Lowering("fp8", "float8", rest="float16"), 19, "float8", 0.1),
        (Lowering("int4", "int4", rest="float16", block=32), 21, "float16 with int4 weights", 0.2),
        (Lowering("w", "float4", rest="float32"), 23, "float32 with float4 weights", 0.2),
        (Lowering("w", "float4", rest="bfloat16"), 23, "bfloat16 with float4 weights", 0.2),
    ],
    ids=str,
)  # fmt: skip
def test_a_network_in_a_type_is_near_to_it_in_float32(
    lowering: Lowering, opset: int, kind: str, tolerance: float
) -> None:
    """In the opset that has the type, with a promise for each operation; its emulation is what a build measures."""
    from dataclasses import replace

    model, feed = net(), np.random.default_rng(5).standard_normal((2, 32, 8, 8)).astype(np.float32)
    low, placement = copy(model), Placement(replace(lowering, quantize_ops=("Conv", "MatMul")))
    lowered.prepare(low, placement)
    chosen, kept = lowered.quantised_nodes(low, placement)
    ranges = dict.fromkeys(qdq.activations(chosen, low.graph, placement), 6.0)
    lowered.write(low, placement, chosen, ranges)
    onnx.checker.check_model(low)
    found, wanted = run(emulate(low), x=feed)["y"], run(model, x=feed)["y"]

    assert (opset_of(low), set(promised(low).values()), kept) == (opset, {kind}, {})
    assert np.abs(found - wanted).max() < tolerance * np.abs(wanted).max()
    assert ("float4" in low_types(low)) == ("float4" in kind)


def test_weights_that_do_not_fit_into_blocks_say_why() -> None:
    """They stay as they are."""
    model = graph(
        """float[1,12,8,8] x, float[2,64] z => float[1,64,8,8] a, float[2,2] b {
          a = Conv<pads = [1,1,1,1]>(x, v) b = MatMul(z, t) t = Transpose(z) }""".replace(
            "b = MatMul(z, t) t = Transpose(z)", "t = Transpose(z) b = MatMul(z, t)"
        ),
        v=np.ones((64, 12, 3, 3), np.float32),
    )
    placement = Placement(Lowering("i", "int4", quantize_ops=("Conv", "MatMul"), block=32))
    _, reasons = qdq.candidates(model.graph, {"x": 1, "z": 1, "t": 1, "v": 1}, placement)

    assert reasons == {
        "Conv_0": "its 12 input channels are not a multiple of the block of 32",
        "MatMul_2": "its weights are not constant",
    }
