"""Tests that graphs are judged by what they state: as an unoptimised run computes it, behind Q/DQ pairs as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, graph, run
from trtbuild.arrays.samples import Samples
from trtbuild.graphs import rounding
from trtbuild.runtimes import calibration
from trtbuild.runtimes.onnxruntime import OnnxRuntimeSession, session_of

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(3)
SCALES = {"s": 0.03, "t": 0.05, "z": np.array(0, np.int8), "u": np.array(0, np.uint8)}
# Coarse enough for a bias that is rounded to a product of scales to move values over a rounding behind it.
CHANNELS = {"k": np.array([0.2, 0.3, 0.4, 0.5], np.float32), "kz": np.zeros(4, np.int8)}
PAIR = "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)"
IMAGE = "float[1,3,8,8] x => float[1,4,6,6] y"
ROWS = "float[5,6] x => float[5,4] y"


def draw(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def int8(*shape: int) -> Array:
    return RNG.integers(-2, 3, shape, dtype=np.int8)


# What the graph does, and the graph.  The pairs in them are those of quantisation-aware training and of this project.
GRAPHS = {
    "float weights and bias between pairs": graph(
        f"{IMAGE} {{ {PAIR} c = Conv(d, w, b) o = QuantizeLinear(c, t, z) y = DequantizeLinear(o, t, z) }}",
        w=draw(4, 3, 3, 3), b=draw(4), **SCALES),
    "a float bias, int8 weights per channel": graph(
        f"{IMAGE} {{ {PAIR} e = DequantizeLinear<axis = 0>(w, k, kz) y = Conv(d, e, b) }}",
        w=int8(4, 3, 3, 3), b=draw(4), **SCALES, **CHANNELS),
    "the same between pairs, behind a Relu": graph(
        f"{IMAGE} {{ {PAIR} e = DequantizeLinear<axis = 0>(w, k, kz) c = Conv(d, e, b) r = Relu(c)"
        " o = QuantizeLinear(r, t, z) y = DequantizeLinear(o, t, z) }",
        w=int8(4, 3, 3, 3), b=draw(4), **SCALES, **CHANNELS),
    "the same between pairs, and read twice": graph(
        f"{IMAGE} {{ {PAIR} e = DequantizeLinear<axis = 0>(w, k, kz) c = Conv(d, e, b) f = Conv(d, e, g)"
        " o = QuantizeLinear(c, t, z) p = DequantizeLinear(o, t, z) h = QuantizeLinear(f, t, z)"
        " i = DequantizeLinear(h, t, z) y = Sub(p, i) }",
        w=int8(4, 3, 3, 3), b=draw(4), g=draw(4), **SCALES, **CHANNELS),
    "float weights and bias of a ConvTranspose": graph(
        f"float[1,3,6,6] x => float[1,4,8,8] y {{ {PAIR} c = ConvTranspose(d, w, b) o = QuantizeLinear(c, t, z)"
        " y = DequantizeLinear(o, t, z) }", w=draw(3, 4, 3, 3), b=draw(4), **SCALES),
    "float weights and bias of a Gemm": graph(
        f"{ROWS} {{ {PAIR} c = Gemm(d, w, b) o = QuantizeLinear(c, t, z) y = DequantizeLinear(o, t, z) }}",
        w=draw(6, 4), b=draw(4), **SCALES),
    "a bias behind a MatMul": graph(
        f"{ROWS} {{ {PAIR} e = DequantizeLinear<axis = 1>(w, k, kz) m = MatMul(d, e) a = Add(m, b)"
        " o = QuantizeLinear(a, t, z) y = DequantizeLinear(o, t, z) }", w=int8(6, 4), b=draw(4), **SCALES, **CHANNELS),
    "a bias behind a Conv": graph(
        f"{IMAGE} {{ {PAIR} e = DequantizeLinear<axis = 0>(w, k, kz) m = Conv(d, e) y = Add(m, b) }}",
        w=int8(4, 3, 3, 3), b=draw(1, 4, 1, 1), **SCALES, **CHANNELS),
    "pairs of different scales behind one another": graph(
        f"{ROWS.replace(',4', ',6')} {{ {PAIR} p = QuantizeLinear(d, t, z) y = DequantizeLinear(p, t, z) }}", **SCALES),
    "pairs of different ranges behind one another": graph(
        f"{ROWS.replace(',4', ',6')} {{ {PAIR} p = QuantizeLinear(d, s, u) y = DequantizeLinear(p, s, u) }}", **SCALES),
    "a pair behind a Relu": graph(
        "float[5,6] x => float[5,6] y { r = Relu(x) q = QuantizeLinear(r, s, u) y = DequantizeLinear(q, s, u) }",
        **SCALES),
    "a pair behind a Clip": graph(
        "float[5,6] x => float[5,6] y { r = Clip(x, low, high) q = QuantizeLinear(r, s, z)"
        " y = DequantizeLinear(q, s, z) }", low=-0.31, high=0.71, **SCALES),
    "a Clip between pairs": graph(
        f"float[5,6] x => float[5,6] y {{ {PAIR} r = Clip(d, low, high) p = QuantizeLinear(r, t, z)"
        " y = DequantizeLinear(p, t, z) }", low=-0.31, high=0.71, **SCALES),
    "pooling between pairs": graph(
        f"float[1,3,8,8] x => float[1,3,1,1] y {{ {PAIR} a = GlobalAveragePool(d) p = QuantizeLinear(a, t, z)"
        " y = DequantizeLinear(p, t, z) }", **SCALES),
    "a Transpose and a Reshape between pairs": graph(
        f"float[4,6] x => float[3,8] y {{ {PAIR} a = Transpose<perm = [1, 0]>(d) r = Reshape(a, shape)"
        " p = QuantizeLinear(r, t, z) y = DequantizeLinear(p, t, z) }", shape=np.array([3, 8]), **SCALES),
    "a softmax between pairs": graph(
        f"float[5,6] x => float[5,6] y {{ {PAIR} a = Softmax(d) p = QuantizeLinear(a, t, z)"
        " y = DequantizeLinear(p, t, z) }", **SCALES),
    "float16 within": graph(
        "float[5,6] x => float[5,6] y { a = Cast<to = 10>(x) b = Mul(a, a) c = Mul(b, b) y = Cast<to = 1>(c) }"),
}  # fmt: skip

FLOAT32 = {name: model for name, model in GRAPHS.items() if not rounding.low_types(model)}


def feed(model: onnx.ModelProto) -> Array:
    (value,) = model.graph.input
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    return (2 * np.random.default_rng(0).normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize("model", GRAPHS.values(), ids=GRAPHS)
def test_a_session_computes_what_the_graph_states(model: onnx.ModelProto) -> None:
    """Equal to an unoptimised run, and to the last bit where nothing is emulated."""
    wanted = run(rounding.emulate(model) if rounding.low_types(model) else model, x=feed(model))["y"]

    np.testing.assert_array_equal(session_of(model, "graph").run({"x": feed(model)})["y"], wanted)


@pytest.mark.parametrize("level", ["extended", "all"])
@pytest.mark.parametrize("model", FLOAT32.values(), ids=FLOAT32)
def test_fusions_of_an_inspection_are_those_of_float_operations(model: onnx.ModelProto, level: str) -> None:
    """Sums in another order may move a value over a rounding; nothing is off by more than that one step."""
    session = OnnxRuntimeSession(model.SerializeToString(), "graph", ["CPUExecutionProvider"], level)  # type: ignore[arg-type]
    off = np.abs(session.run({"x": feed(model)})["y"] - run(model, x=feed(model))["y"])

    assert np.median(off) < 1e-5
    assert (off > 1e-5).mean() < 0.02


def test_calibration_sees_what_the_graph_states() -> None:
    """A graph that has pairs already: scales are those of its own values."""
    model = GRAPHS["float weights and bias between pairs"]
    seen = {}

    class Watch:
        def observe(self, tensor: str, values: Array) -> None:
            seen[tensor] = values

        def ranges(self) -> dict[str, float]:
            return {}

    specs = {"x": {"dtype": "float32", "shape": [1, 3, 8, 8]}}
    calibration.calibrate(model, ["y"], [Samples({"x": feed(model)}, 1, "data")], specs, 1, Watch())

    np.testing.assert_array_equal(seen["y"], run(model, x=feed(model))["y"])


def test_no_session_is_made_elsewhere() -> None:
    """How ONNX Runtime may rewrite a graph is decided in one file; a report's script stands alone, and says it too."""
    files = [path for path in (ROOT / "trtbuild").rglob("*.py") if "InferenceSession(" in path.read_text("utf-8")]

    assert {path.relative_to(ROOT).as_posix() for path in files} == {
        "trtbuild/runtimes/onnxruntime.py", "trtbuild/bugreport/scripts/repro_values.py",
    }  # fmt: skip
    assert "GraphOptimizationLevel.ORT_DISABLE_ALL" in (ROOT / "trtbuild/bugreport/scripts/repro_values.py").read_text(
        "utf-8"
    )
