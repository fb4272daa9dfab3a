"""Tests of casting a float32 graph to half precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, constants, copy, graph, node, nodes, run
from trtbuild.core.spec import Lowering, LoweringKind
from trtbuild.graphs.cast import Casts, cast_graph
from trtbuild.graphs.placement import Placement
from trtbuild.graphs.rounding import emulate

LOW = {"float16": onnx.TensorProto.FLOAT16, "bfloat16": onnx.TensorProto.BFLOAT16}
# Relative rounding error of a format (half a unit in the last place), times what a few operations add up to.
TOLERANCE = {"float16": 2.0**-11 * 16, "bfloat16": 2.0**-8 * 16}


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def lowered(
    model: onnx.ModelProto, precision: LoweringKind = "float16", kept: tuple[str, ...] = ()
) -> tuple[onnx.ModelProto, Casts]:
    """``kept``: types of operations that stay in float32."""
    low = copy(model)
    done = cast_graph(low, Placement(Lowering("low", precision, exclude_ops=kept)))
    return low, done


def types(model: onnx.ModelProto) -> dict[str, str]:
    """Element type of every tensor of the top graph."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    found = {v.name: v.type.tensor_type.elem_type for v in (*inferred.input, *inferred.value_info, *inferred.output)}
    return {name: onnx.helper.tensor_dtype_to_np_dtype(kind).name for name, kind in found.items()}


def casts(model: onnx.ModelProto) -> int:
    return sum(n.op_type == "Cast" for n in nodes(model))


def conv_net() -> onnx.ModelProto:
    return graph(
        """float[N,3,8,8] image => float[N,5] scores {
          a = Conv<pads = [1,1,1,1]>(image, w, b)
          r = Relu(a)
          p = GlobalAveragePool(r)
          f = Flatten(p)
          g = Gemm(f, m)
          scores = Softmax(g)
        }""",
        w=draw(4, 3, 3, 3), b=draw(4), m=draw(4, 5),
    )  # fmt: skip


def loop_net() -> onnx.ModelProto:
    """An If inside a Loop: the state grows by a captured input, scaled where it is even."""
    return graph(
        """float[4] x, int64 n => float[4] y, float[M,4] trace {
          go = Cast<to = 9>(one)
          y, trace = Loop(n, go, x) <body = body (int64 i, bool c, float[4] v) => (bool co, float[4] vo, float[4] so) {
            co = Identity(c)
            rest = Mod(i, two)
            odd = Cast<to = 9>(rest)
            vo = If(odd) <
              then_branch = yes () => (float[4] p) { p = Mul(v, w) },
              else_branch = no () => (float[4] q) { q = Add(v, x) }>
            so = Mul(vo, half)
          }>
        }""",
        w=[1.5, 0.5, -1.0, 0.25], half=[0.5], one=np.array(1), two=np.array(2),
    )  # fmt: skip


NETS: dict[str, tuple[Callable[[], onnx.ModelProto], dict[str, Any]]] = {
    "conv": (conv_net, {"image": draw(2, 3, 8, 8)}),
    "loop": (loop_net, {"x": draw(4), "n": np.array(5)}),
}


@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("net", NETS)
def test_a_lowered_graph_computes_nearly_the_same(net: str, precision: str) -> None:
    """Outputs stay within what the format's rounding explains, and are not what float32 gives."""
    make, feeds = NETS[net]
    low, _ = lowered(make(), precision)
    want = run(make(), **feeds)
    have = run(emulate(low) if precision == "bfloat16" else low, **feeds)

    for name, reference in want.items():
        np.testing.assert_allclose(
            have[name], reference, rtol=TOLERANCE[precision], atol=TOLERANCE[precision] * np.abs(reference).max()
        )
        assert (have[name] != reference).any()


@pytest.mark.parametrize("net", NETS)
def test_a_float16_graph_passes_the_full_check(net: str) -> None:
    """Types and shapes are consistent everywhere, bodies included."""
    low, _ = lowered(NETS[net][0]())

    onnx.checker.check_model(low, full_check=True)


@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("net", NETS)
def test_inputs_and_outputs_keep_names_and_types(net: str, precision: str) -> None:
    """They are the model's contract with its users."""
    model = NETS[net][0]()
    low, _ = lowered(model, precision)

    assert list(low.graph.input) == list(model.graph.input)
    assert list(low.graph.output) == list(model.graph.output)


def test_everything_between_computes_in_the_low_precision() -> None:
    """One cast at each end, none in between, and no float32 constant left."""
    low, done = lowered(conv_net())

    assert (casts(low), done.kept) == (2, [])
    assert {array.dtype for array in constants(low).values()} == {np.dtype(np.float16)}


def test_neighbours_in_float32_exchange_float32() -> None:
    """Two neighbours that are both kept see no rounding between them."""
    model = graph("float[4] x => float[4] y { a = Relu(x) b = Exp(a) c = Log(b) y = Neg(c) }")
    low, done = lowered(model, kept=("Exp", "Log"))

    assert list(node(low, "Log").input) == list(node(low, "Exp").output)
    assert types(low)[node(low, "Exp").output[0]] == "float32"
    assert done.kept == ["Exp_1", "Log_2"]


def test_a_kept_node_beside_an_output_needs_no_cast() -> None:
    """What stays float32 goes straight to a float32 output."""
    low, _ = lowered(graph("float[4] x => float[4] y { a = Relu(x) y = Exp(a) }"), kept=("Exp",))

    assert low.graph.node[-1].op_type == "Exp"
    assert list(low.graph.node[-1].output) == ["y"]


def test_a_constant_that_both_precisions_use_exists_in_both() -> None:
    """The kept reader sees its exact value, not a rounded one."""
    model = graph("float[2] x => float[2] y { a = Mul(x, w) y = Add(a, w) }", w=[1.0001, 3.3])
    low, _ = lowered(model, kept=("Add",))
    added, multiplied = (constants(low)[node(low, kind).input[1]] for kind in ("Add", "Mul"))

    np.testing.assert_array_equal(added, np.float32([1.0001, 3.3]))
    np.testing.assert_array_equal(multiplied, np.float16([1.0001, 3.3]))


def test_a_tensor_is_cast_once_for_all_its_readers() -> None:
    """Readers of one tensor share its cast."""
    model = graph("float[2] x => float[2] y { a = Exp(x) b = Log(x) y = Add(a, b) }")

    assert casts(lowered(model)[0]) == 2


def test_shape_arithmetic_stays_exact() -> None:
    """A dimension above 2048 has no exact float16, so what is computed from shapes alone stays float32."""
    model = graph(
        """float[1,N] x => float[1,M] y {
          s = Shape(x)
          f = Cast<to = 1>(s)
          h = Mul(f, scale)
          t = Cast<to = 7>(h)
          y = Expand(first, t)
        }""",
        scale=[1.0, 1.0], first=np.ones((1, 1), np.float32),
    )  # fmt: skip
    low, done = lowered(model)

    assert types(low)["h"] == "float32"
    assert run(low, x=np.zeros((1, 4099), np.float32))["y"].shape == (1, 4099)
    assert "Mul_2" in done.kept


def test_slots_that_take_only_float32_get_it() -> None:
    """Resize wants its scales in float32, whatever its data is."""
    model = graph("float[1,1,2,2] x => float[1,1,4,4] y { y = Resize(x, , scales) }", scales=[1.0, 1.0, 2.0, 2.0])
    low, _ = lowered(model)
    resize = node(low, "Resize")

    assert constants(low)[resize.input[2]].dtype == np.float32
    assert types(low)[resize.output[0]] == "float16"
    onnx.checker.check_model(low, full_check=True)


def test_casts_to_float_become_casts_to_half() -> None:
    """An integer input enters the graph in the low precision at once."""
    low, _ = lowered(graph("uint8[4] x => float[4] y { f = Cast<to = 1>(x) y = Relu(f) }"))

    assert types(low)["f"] == "float16"
    assert casts(low) == 2


@pytest.mark.parametrize("fill", ["", "<value = float[1] {2.5}>"])
def test_filled_tensors_are_made_in_half(fill: str) -> None:
    """ConstantOfShape of data takes its type from its value, which is float32 when there is none."""
    model = graph(f"float[2] x, int64[1] n => float[M] y {{ c = ConstantOfShape{fill}(n) y = Relu(c) }}")
    low, _ = lowered(model)

    assert types(low)["c"] == "float16"
    np.testing.assert_array_equal(run(low, x=np.zeros(2, np.float32), n=np.array([3]))["y"], [2.5 if fill else 0.0] * 3)


def test_types_that_are_attributes_change_with_the_rest() -> None:
    """An identity matrix made for a float32 product is made in half."""
    model = graph("float[2,2] x, int64[2,2] n => float[2,2] y { e = EyeLike<dtype = 1>(n) y = MatMul(x, e) }")
    low, _ = lowered(model)

    assert types(low)["e"] == "float16"
    assert casts(low) == 2


@pytest.mark.parametrize(("precision", "clamped"), [("float16", {"w": 1e6}), ("bfloat16", {})])
def test_constants_beyond_the_range_are_clamped_and_reported(precision: str, clamped: dict[str, float]) -> None:
    """An attention mask of -1e6 must not become infinity; infinity itself is kept."""
    model = graph("float[3] x => float[3] y { y = Add(x, w) }", w=[-1e6, 2.0, -np.inf])
    low, done = lowered(model, precision)
    (array,) = constants(low).values()

    assert done.clamped == clamped
    assert np.isfinite(array.astype(np.float32)).tolist() == [True, True, False]


def test_an_output_that_is_read_again_keeps_its_name() -> None:
    """The graph goes on in its own precision after the output."""
    low, _ = lowered(graph("float[2] x => float[2] y, float[2] z { y = Exp(x) z = Neg(y) }"))

    assert [output.name for output in low.graph.output] == ["y", "z"]
    assert types(low)[node(low, "Neg").input[0]] == "float16"
    onnx.checker.check_model(low, full_check=True)


def test_names_that_are_taken_are_not_taken_again() -> None:
    """A tensor that already has the name of another's cast keeps it."""
    model = graph("float[2] x => float[2] y { x_fp16 = Neg(x) a = Exp(x) y = Add(x_fp16, a) }")
    low, _ = lowered(model)

    np.testing.assert_allclose(run(low, x=np.float32([0.5, 1]))["y"], np.exp([0.5, 1]) - [0.5, 1], rtol=1e-3)
