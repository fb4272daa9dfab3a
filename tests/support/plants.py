"""Planted differences: graphs that TensorRT's importer reads in another way than ONNX Runtime, and twins that agree.

``by`` says who finds a plant: "graph" (a rule about the graph alone), "parser" (TensorRT's own warning) or "network"
(what the importer wrote into its network).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.graphs import graph

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
INDEX = np.array([[1], [1]])
KERNEL = np.ones((1, 1, 3, 3), np.float32)


@dataclass(frozen=True)
class Plant:
    """``words``: a part of the complaint, or "" for a twin, of which nothing may be said."""

    name: str
    model: onnx.ModelProto
    outcome: Literal["refused", "warned", "silent"]
    words: str = ""
    by: Literal["graph", "parser", "network"] = "graph"


def scalar(value: float, kind: Any = np.float32) -> Any:
    return np.array(value, kind)


def pair(point: Any = None, *, quantise: str = "", opset: int = 21) -> onnx.ModelProto:
    zero, constants = ("", {}) if point is None else (", z", {"z": point})
    both = f"q = QuantizeLinear{quantise}(x, s{zero}) y = DequantizeLinear(q, s{zero})"
    return graph(f"float[1,4] x => float[1,4] y {{ {both} }}", opset=opset, s=scalar(6 / 255), **constants)


def recurrent(kind: str, gates: int, **attributes: Any) -> onnx.ModelProto:
    node = helper.make_node(kind, ["x", "W", "R"], ["y"], name=kind, hidden_size=3, **attributes)
    return made([node], [("x", FLOAT, [4, 2, 2])], [("y", FLOAT, None)],
                W=np.ones((1, gates * 3, 2), np.float32), R=np.ones((1, gates * 3, 3), np.float32))  # fmt: skip


def made(nodes: list[Any], inputs: list[Any], outputs: list[Any], *, opset: int = 17, functions: Any = (),
         domain: str = "", **constants: Any) -> onnx.ModelProto:  # fmt: skip
    values = [[helper.make_tensor_value_info(*one) for one in many] for many in (inputs, outputs)]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    content = helper.make_graph(nodes, "g", *values, tensors)
    return helper.make_model(content, opset_imports=imports, functions=functions, ir_version=8)


def own(kind: str, *, function: bool = False) -> onnx.ModelProto:
    """An operation, or a function, of another domain with the name of one of ONNX's own."""
    body = helper.make_function(
        "mine", kind, ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node(kind, ["x"], ["y"], name=kind, domain="mine")
    functions = [body] if function else []
    return made([node], [("x", FLOAT, [4])], [("y", FLOAT, [4])], functions=functions, domain="mine")


def normalisation(kind: Any, epsilon: float, variance: float) -> onnx.ModelProto:
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y"], name="bn", epsilon=epsilon)
    values = dict(zip("sbmv", (1.0, 0.0, 0.0, variance), strict=True))
    return made([node], [("x", HALF, [1, 2, 3, 3])], [("y", HALF, [1, 2, 3, 3])],
                **{name: np.full(2, value, kind) for name, value in values.items()})  # fmt: skip


def clip(low: Any, high: Any) -> onnx.ModelProto:
    return graph("float[4] x => float[4] y { y = Clip(x, low, high) }", low=low, high=high)


def cropped(size: int, attributes: str = "") -> onnx.ModelProto:
    stated = f"strides=[2,2], output_shape=[{size},{size}]{attributes}"
    text = f"float[1,1,3,3] x => float[1,1,{size},{size}] y {{ y = ConvTranspose<{stated}>(x, w) }}"
    return graph(text, w=KERNEL)


def loop(trips: str, *, collected: bool = False) -> onnx.ModelProto:
    more, kept, last, end = (", float[n,2] z", ", z", ", float[2] so", "so = Identity(bo)") if collected else [""] * 4
    text = f"""float[2] x, {trips} => float[2] y{more} {{ y{kept} = Loop(m, c, x) <body = b
        (int64 i, bool ci, float[2] a) => (bool co, float[2] bo{last}) {{
            s = ReduceSum <keepdims = 0> (a) co = Less(s, k) bo = Add(a, a) {end} }}> }}"""
    return graph(text, c=scalar(1, bool), k=scalar(5), **({} if "m" in trips else {"m": scalar(3, np.int64)}))


def counted(steps: int, limit: int = 3) -> onnx.ModelProto:
    """A loop of ``limit`` steps that collects its states, and goes on while it has counted less than ``steps``."""
    text = """float[2] x => float[2] y, float[n,2] z { e, y, z = Loop(m, c, j, x) <body = b
        (int64 i, bool ci, int32 k, float[2] a) => (bool co, int32 ko, float[2] bo, float[2] so) {
            ko = Add(k, one) f = Cast <to = 1> (ko) u = Less(f, s) w = Less(i, m) co = And(u, w)
            bo = Add(a, a) so = Identity(bo) }> }"""
    return graph(text, m=scalar(limit, np.int64), c=scalar(1, bool), j=scalar(0, np.int32), one=scalar(1, np.int32),
                 s=scalar(steps))  # fmt: skip


def scattered(indices: Any, kind: str = "ScatterND", **constants: Any) -> onnx.ModelProto:
    updates = "" if constants else ", float[2] u"
    return graph(f"float[4] x{updates} => float[4] y {{ y = {kind}(x, i, u) }}", i=indices, **constants)


UPPER = "the upper half of the range saturates"
PLANTS = (
    Plant("uint8 zero point", pair(scalar(0, np.uint8)), "refused", UPPER),
    Plant("uint8 zero point 128", pair(scalar(128, np.uint8)), "refused", UPPER),
    Plant("no zero point", pair(), "refused", "no zero point and no output_dtype mean that"),
    Plant("no zero point, opset 13", pair(opset=13), "refused", UPPER),
    Plant("output_dtype of uint8", pair(quantise="<output_dtype = 2>"), "refused", UPPER),
    Plant("shifted int8", pair(scalar(5, np.int8)), "refused", "its zero point is 5"),
    Plant("weights of uint8", graph("float[4] x => float[4] y { d = DequantizeLinear(w, s, z) y = Mul(x, d) }",
          w=np.array([0, 9, 200, 255], np.uint8), s=scalar(0.1), z=scalar(0, np.uint8)), "refused", UPPER),
    Plant("computed zero point", graph("float[4] x, int8 z => float[4] y { q = QuantizeLinear(x, s, z) "
          "y = DequantizeLinear(q, s) }", s=scalar(0.1)), "refused", "computed from an input"),
    Plant("limits exchanged", clip(scalar(3), scalar(1)), "refused", "ONNX gives the maximum"),
    Plant("limits exchanged, in half", graph("float16[4] x => float16[4] y { y = Clip(x, l, h) }",
          l=scalar(3, np.float16), h=scalar(1, np.float16)), "refused", "ONNX gives the maximum"),
    Plant("limits exchanged, attributes", graph("float[4] x => float[4] y { y = Clip<min = 2.0, max = 1.0>(x) }",
          opset=9), "refused", "ONNX gives the maximum"),
    Plant("minimum above the default", graph("float[4] x => float[4] y { c = Constant<value = float {3.0}>() "
          "d = Constant<value = float {-3.0}>() y = Clip(x, c, d) }"), "refused", "ONNX gives the maximum"),
    Plant("cubes pooled", graph("float[1,2,4,4] x => float[1,2,1,1] y { y = GlobalLpPool<p = 3>(x) }"),
          "refused", "with their sign"),
    Plant("values pooled", graph("float[1,2,4,4] x => float[1,2,1,1] y { y = GlobalLpPool<p = 1>(x) }"),
          "refused", "with their sign"),
    Plant("odd crop", cropped(6), "refused", "in front, and TensorRT behind"),
    Plant("VALID with pads", graph("float[1,1,6,6] x => float[1,1,h,w] y { y = AveragePool<kernel_shape = [3, 3], "
          'auto_pad = "VALID", pads = [1, 1, 1, 1]>(x) }'), "refused", "auto_pad=VALID"),
    Plant("one element less", graph("float[1] x => float[n] y { r = Range(a, b, s) y = Mul(x, r) }", a=scalar(0),
          b=scalar(0.3), s=scalar(0.1)), "refused", "4 elements in ONNX Runtime, and 3 in TensorRT"),
    Plant("LSTM, batch first", recurrent("LSTM", 4, layout=1), "refused", "layout=1"),
    Plant("GRU, batch first", recurrent("GRU", 3, layout=1), "refused", "layout=1"),
    Plant("Softplus in an RNN", recurrent("RNN", 1, activations=["Softplus"]), "refused", "0 everywhere"),
    Plant("Softplus in an LSTM", recurrent("LSTM", 4, activations=["Sigmoid", "Softplus", "Tanh"]), "refused",
          "0 everywhere"),
    Plant("a default of an RNN", recurrent("RNN", 1, activations=["ThresholdedRelu"]), "refused", "takes 0, and"),
    Plant("another domain", own("Relu"), "refused", "mine's own Relu"),
    Plant("a function of that name", own("Abs", function=True), "refused", "mine's own Abs"),
    Plant("uint8 sum", graph("int32[4] x => int32[4] y { d = Add(c, c) e = Cast<to = 6>(d) y = Add(x, e) }",
          c=scalar(200, np.uint8)), "refused", "wraps around at 255"),
    Plant("uint8 reduction", graph("float[4] x => float[4] y { d = ReduceSum(c) e = Cast<to = 1>(d) y = Add(x, e) }",
          c=np.full(4, 200, np.uint8)), "refused", "wraps around at 255"),
    Plant("epsilon lost", normalisation(np.float16, 1e-9, 0.0), "refused", "divides by 0"),
    Plant("epsilon rounded", normalisation(np.float16, 1e-7, 0.0), "warned", "folded in float16"),
    Plant("parameters cast", normalisation(np.float32, 1e-5, 1.0), "warned", "rounded to float16"),
    Plant("cast to int8", graph("float[4] x => float[4] y { q = Cast<to = 3>(x) y = Cast<to = 1>(q) }"), "warned",
          "values beyond int8"),
    Plant("cast to uint8", graph("float[4] x => uint8[4] y { d = Mul(x, c) y = Cast<to = 2>(d) }", c=scalar(255)),
          "warned", "values beyond uint8"),
    Plant("cast beyond int32", graph("float[4] x => int32[4] y { s = Sigmoid(x) d = Mul(s, c) y = Cast<to = 6>(d) }",
          c=scalar(1e10)), "warned", "values beyond int32"),
    Plant("int64 classes", graph("int64[4] x => float[4,3] y { y = OneHot(x, d, v) }", d=scalar(3, np.int64),
          v=np.array([0, 1], np.float32)), "warned", "int64 indices"),
    Plant("int64 trips", loop("int64 m"), "warned", "int64 trip count"),
    Plant("integer power", graph("int32[4] x, float[4] e => int32[4] y { y = Pow(x, e) }"), "warned", "2^24"),
    Plant("int64 power", graph("int64[4] x => int64[4] y { y = Pow(x, e) }", e=scalar(2)), "warned", "2^24"),
    Plant("integers shrunk", graph("int64[4] x => int64[4] y { y = Shrink<lambd = 1.5>(x) }"), "warned", "2^24"),
    Plant("float range", graph("float a => float[n] y { y = Range(z, a, s) }", z=scalar(0), s=scalar(0.1)), "warned",
          "may be one off"),
    Plant("float remainder", graph("float[4] x, float[4] b => float[4] y { y = Mod<fmod = 1>(x, b) }"), "warned",
          "off by y"),
    Plant("defaults of Selu", graph("float[4] x => float[4] y { y = Selu(x) }"), "warned", "1.6732"),
    Plant("a logarithm of zero", graph("float[2,4] x => float[2,4] y { y = LogSoftmax(x) }"), "warned", "below -103"),
    Plant("written twice", scattered(INDEX), "warned", "occur twice"),
    Plant("written twice from behind", scattered(np.array([1, -3]), "ScatterElements"), "warned", "occur twice"),
    Plant("float64 within", graph("float[2] x => float[2] y { d = Cast<to = 11>(x) e = Exp(d) y = Cast<to = 1>(e) }"),
          "warned", "float64 is computed in float32"),
    Plant("float64 without end", graph("float[4] x => float[4] y { d = Cast<to = 1>(c) y = Mul(x, d) }",
          c=np.array([1e300])), "warned", "clamped", "parser"),
    Plant("seeded noise", graph("float[4] x => float[4] y { n = RandomNormal<shape = [4], seed = 3.0>() "
          "y = Add(x, n) }"), "warned", "seed", "parser"),
    Plant("counted to less", counted(2), "warned", "may have another shape", "parser"),
    Plant("collected until", loop("float[1] unused", collected=True), "warned", "may have another shape", "parser"),
)  # fmt: skip
# RTX 1.7 subtracts the maximum; earlier versions do not.
SUM_OF_EXPONENTIALS = graph("float[2,4] x => float[2,1] y { y = ReduceLogSumExp(x, a) }", a=np.array([1]))
TWINS = (
    Plant("int8 pair", pair(scalar(0, np.int8)), "silent"),
    Plant("limits in order", clip(scalar(1), scalar(3)), "silent"),
    Plant("integer limits", graph("int32[4] x => int32[4] y { y = Clip(x, l, h) }", l=scalar(3, np.int32),
          h=scalar(1, np.int32)), "silent"),
    Plant("limits computed", graph("float[4] x, float h => float[4] y { y = Clip(x, l, h) }", l=scalar(3)), "silent"),
    Plant("squares pooled", graph("float[1,2,4,4] x => float[1,2,1,1] y { y = GlobalLpPool(x) }"), "silent"),
    Plant("positive cubes", graph("float[1,2,4,4] x => float[1,2,1,1] y { a = Abs(x) y = GlobalLpPool<p = 3>(a) }"),
          "silent"),
    Plant("even crop", cropped(5), "silent"),
    Plant("odd crop, stated", cropped(6, ', auto_pad="SAME_UPPER"'), "silent"),
    Plant("VALID", graph("float[1,1,6,6] x => float[1,1,4,4] y { y = MaxPool<kernel_shape = [3, 3], "
          'auto_pad = "VALID">(x) }'), "silent"),
    Plant("quarters", graph("float[1] x => float[4] y { r = Range(a, b, s) y = Mul(x, r) }", a=scalar(0), b=scalar(1),
          s=scalar(0.25)), "silent"),
    Plant("LSTM", recurrent("LSTM", 4), "silent"),
    Plant("another name", own("Mine", function=True), "silent"),
    Plant("small bytes", graph("int32[4] x => int32[4] y { d = Add(c, c) e = Cast<to = 6>(d) y = Add(x, e) }",
          c=scalar(100, np.uint8)), "silent"),
    Plant("epsilon kept", normalisation(np.float16, 1e-5, 1.0), "silent"),
    Plant("clipped bytes", graph("float[4] x => uint8[4] y { c = Clip(x, l, h) y = Cast<to = 2>(c) }", l=scalar(0),
          h=scalar(255)), "silent"),
    Plant("scaled bytes", graph("float[4] x => uint8[4] y { s = Sigmoid(x) d = Mul(s, c) r = Round(d) "
          "y = Cast<to = 2>(r) }", c=scalar(255)), "silent"),
    Plant("cast to int32", graph("float[4] x => int32[4] y { f = Floor(x) y = Cast<to = 6>(f) }"), "silent"),
    Plant("int32 classes", graph("int32[4] x => float[4,3] y { w = Cast<to = 7>(x) y = OneHot(w, d, v) }",
          d=scalar(3, np.int64), v=np.array([0, 1], np.float32)), "silent"),
    Plant("float power", graph("float[4] x => float[4] y { y = Pow(x, e) }", e=scalar(2)), "silent"),
    Plant("integer remainder", graph("int64[4] x => int64[4] y { y = Mod(x, b) }", b=scalar(3, np.int64)), "silent"),
    Plant("Selu, stated", graph("float[4] x => float[4] y { y = Selu<alpha = 1.673263, gamma = 1.0507>(x) }"),
          "silent"),
    Plant("written once", scattered(np.array([[1], [-4]])), "silent"),
    Plant("the same twice", scattered(INDEX, u=np.array([2, 2], np.float32)), "silent"),
    Plant("counted to the limit", counted(3), "silent"),
    Plant("int64 arithmetic", graph("int64[4] x => int64[4] y { a = Add(x, c) b = Mul(a, a) y = Div(b, c) }",
          c=scalar(2**40, np.int64)), "silent"),
    Plant("gathered", graph("float[4,5] x, int64[2] i => float[2,5] y { y = Gather(x, i) }"), "silent"),
)  # fmt: skip
