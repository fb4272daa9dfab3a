"""Small graphs in every form of int8 that was thought of, each with its twin in float16: LAYERS in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper

SIDE, LAYERS = 32, 8
TYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
STEP, WEIGHT = 0.05, 0.01  # scales


@dataclass(frozen=True)
class Form:
    """One form; the defaults are the form that moved the fewest bytes.

    ``weights``: "float" (not quantised), "channel" or "tensor" (scales), "scaled" (one scale, and a Mul by channel
    behind), "inward" (one scale, and the Mul before the convolution, on the weights), "alone" (activations are float).
    ``shortcut``: a sum with the layer's input, as it is ("float"), quantised ("one"), or both operands quantised.
    """

    group: str
    name: str
    kind: str = "Conv"
    rest: str = "float16"
    weights: str = "tensor"
    bias: str = "inside"  # "apart", "none"
    activation: str = "Relu"
    before: bool = False  # a pair before the activation, too
    kernel: int = 3
    groups: int = 1
    channels: int = 64
    padded_from: int = 0  # the network's own channels
    shortcut: str = ""
    last: bool = False  # a Q/DQ pair at the output, too
    batch: int | str = 1
    opset: int = 19
    pair: str = "zero point"  # "no zero point", "float32 scales", "by hand", "by channel"
    own: Callable[[Form], onnx.ModelProto] | None = None

    @property
    def twin(self) -> Form:
        """The same network in float16."""
        kind = {"QLinearConv": "Conv", "ConvInteger": "Conv", "MatMulInteger": "MatMul"}.get(self.kind, self.kind)
        own = {_pooled: _pooled, _pooled_in_int8: _pooled, _branches: _branches}.get(self.own) if self.own else None
        shortcut = "float" if self.shortcut else ""
        return replace(self, group="", name="", kind=kind, rest="float16", weights="float", before=False, last=False,
                       shortcut=shortcut, opset=19, pair="zero point", own=own, padded_from=0,
                       channels=self.padded_from or self.channels)  # fmt: skip

    def model(self) -> onnx.ModelProto:
        return self.own(self) if self.own else _chain(self)


class Sketch:
    """Nodes and constants of a graph as they are written down; values are arbitrary."""

    def __init__(self, form: Form) -> None:
        self.form, self.type = form, TYPES[form.rest]
        self.kind: int = helper.np_dtype_to_tensor_dtype(np.dtype(self.type))
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: Any = None) -> str:
        array = np.asarray(value, dtype or self.type)
        self.constants.append(onnx.numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def done(self, out: str, *, rows: bool = False) -> onnx.ModelProto:
        form, kind = self.form, self.kind
        shape = [SIDE * SIDE, form.channels] if rows else [form.batch, form.channels, SIDE, SIDE]
        values = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", self.add("Identity", out))]
        graph = helper.make_graph(self.nodes, "form", values[:1], values[1:], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", form.opset)], ir_version=10)
        onnx.checker.check_model(model)
        return model

    def pair(self, x: str) -> str:
        """``x`` through QuantizeLinear and DequantizeLinear, as the form writes them."""
        if self.form.weights in ("float", "alone"):
            return x
        pair, zero = self.form.pair, self.constant(0, np.int8)
        if pair == "no zero point":
            scale = self.constant(STEP)
            quantised = self.add("QuantizeLinear", x, scale, output_dtype=TensorProto.INT8)
            return self.add("DequantizeLinear", quantised, scale)
        if pair == "float32 scales":
            scale = self.constant(STEP, np.float32)
            quantised = self.add("QuantizeLinear", x, scale, zero)
            return self.add("DequantizeLinear", quantised, scale, zero, output_dtype=self.kind)
        if pair == "by hand":
            x = self.add("Mul", x, self.constant(1 / STEP))
            x = self.add("Round", self.add("Clip", x, self.constant(-127), self.constant(127)))
            return self.add("DequantizeLinear", self.add("Cast", x, to=TensorProto.INT8), self.constant(STEP), zero)
        if pair == "by channel" and x != "x":  # the channels' factors are in the scales of Q
            by_channel = self.constant(STEP / self.factors()), self.constant(np.zeros(self.form.channels), np.int8)
            quantised = self.add("QuantizeLinear", x, *by_channel, axis=1)
            return self.add("DequantizeLinear", quantised, self.constant(STEP), zero)
        scale = self.constant(STEP)
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, scale, zero), scale, zero)

    def factors(self) -> Any:
        return self.random.uniform(0.3, 1, self.form.channels)

    def weights(self) -> str:
        form = self.form
        shape = {"Conv": [form.channels, form.channels // form.groups, form.kernel, form.kernel],
                 "ConvTranspose": [form.channels, form.channels, 3, 3]}.get(form.kind, [form.channels] * 2)  # fmt: skip
        if form.weights == "float":
            return self.constant(self.random.standard_normal(shape))
        values, axis = self.constant(self.random.integers(-127, 128, shape), np.int8), 0 if form.kind == "Conv" else 1
        wide: dict[str, Any] = {}
        kind: Any = self.type
        if form.pair == "float32 scales":
            wide, kind = {"output_dtype": self.kind}, np.float32
        if form.weights == "channel":
            scales = self.constant(WEIGHT * self.factors(), kind)
            zeros = self.constant(np.zeros(form.channels), np.int8)
            return self.add("DequantizeLinear", values, scales, zeros, axis=axis, **wide)
        out = self.add("DequantizeLinear", values, self.constant(WEIGHT, kind), self.constant(0, np.int8), **wide)
        if form.weights == "inward":
            return self.add("Mul", out, self.constant(self.factors().reshape(-1, *[1] * (len(shape) - 1))))
        return out

    def layer(self, x: str, operand: str) -> str:
        """One layer that reads ``operand``, the quantised ``x``, up to its activation."""
        form = self.form
        bias = self.constant(self.random.standard_normal(form.channels)) if form.bias == "inside" else ""
        inputs = [operand, self.weights(), *([bias] if bias and form.kind != "MatMul" else [])]
        attributes: dict[str, Any] = {}
        if form.kind == "Conv":
            attributes = {"kernel_shape": [form.kernel] * 2, "pads": [form.kernel // 2] * 4, "group": form.groups}
        elif form.kind == "ConvTranspose":
            attributes = {"kernel_shape": [3, 3], "pads": [1] * 4}
        y = self.add(form.kind, *inputs, **attributes)
        channels = [-1] if form.kind in ("MatMul", "Gemm") else [1, -1, 1, 1]
        if form.weights == "scaled":
            y = self.add("Mul", y, self.constant(self.factors().reshape(channels)))
        if form.bias == "apart" or (bias and form.kind == "MatMul"):
            y = self.add("Add", y, self.constant(self.random.standard_normal(form.channels).reshape(channels)))
        if form.shortcut == "both":
            y = self.pair(y)
        if form.shortcut:
            y = self.add("Add", y, x if form.shortcut == "float" else operand)
        if form.before:
            y = self.pair(y)
        if form.activation == "Clip":
            return self.add("Clip", y, self.constant(0), self.constant(6))
        if form.activation == "Min, Max":
            return self.add("Min", self.add("Max", y, self.constant(0)), self.constant(6))
        return self.add("Relu", y) if form.activation else y


def _chain(form: Form) -> onnx.ModelProto:
    sketch, x = Sketch(form), "x"
    for _ in range(LAYERS):
        x = sketch.layer(x, sketch.pair(x))
    if form.last:
        x = sketch.pair(x)
    return sketch.done(x, rows=form.kind in ("MatMul", "Gemm"))


def _pointwise_as_product(form: Form) -> onnx.ModelProto:
    """1x1 convolutions as matrix products over all pixels."""
    sketch = Sketch(replace(form, kind="MatMul"))
    x = sketch.add("Transpose", "x", perm=[0, 2, 3, 1])
    x = sketch.add("Reshape", x, sketch.constant([SIDE * SIDE, form.channels], np.int64))
    for _ in range(LAYERS):
        x = sketch.layer(x, sketch.pair(x))
    x = sketch.add("Reshape", x, sketch.constant([1, SIDE, SIDE, form.channels], np.int64))
    return sketch.done(sketch.add("Transpose", x, perm=[0, 3, 1, 2]))


def _pooled(form: Form) -> onnx.ModelProto:
    """A pooling behind each layer, in float16."""
    sketch, x = Sketch(form), "x"
    for _ in range(LAYERS):
        x = sketch.add("MaxPool", sketch.layer(x, sketch.pair(x)), kernel_shape=[3, 3], pads=[1] * 4)
    return sketch.done(x)


def _pooled_in_int8(form: Form) -> onnx.ModelProto:
    """A pooling behind each layer, behind its Q: the greatest of rounded values is the greatest, rounded."""
    sketch, x = Sketch(form), "x"
    for _ in range(LAYERS):
        x = sketch.add("MaxPool", sketch.pair(sketch.layer(x, sketch.pair(x))), kernel_shape=[3, 3], pads=[1] * 4)
    return sketch.done(x)


def _branches(form: Form) -> onnx.ModelProto:
    """Two convolutions that share their quantised input, summed."""
    sketch, x = Sketch(form), "x"
    for _ in range(LAYERS):
        operand = sketch.pair(x)
        x = sketch.add("Add", sketch.layer(x, operand), sketch.layer(x, operand))
    return sketch.done(x)


def _integer(form: Form) -> onnx.ModelProto:
    """ONNX's own integer operations: QLinearConv, ConvInteger or MatMulInteger (the form's kind)."""
    sketch, x = Sketch(replace(form, rest="float32")), "x"
    scale, weight, zero = (sketch.constant(v, t) for v, t in ((STEP, None), (WEIGHT, None), (0, np.int8)))
    rows = form.kind == "MatMulInteger"
    shape = [form.channels] * 2 if rows else [form.channels, form.channels, 3, 3]
    for _ in range(LAYERS):
        x = sketch.add("QuantizeLinear", x, scale, zero)
        values = sketch.constant(sketch.random.integers(-127, 128, shape), np.int8)
        if form.kind == "QLinearConv":
            x = sketch.add("QLinearConv", x, scale, zero, values, weight, zero, scale, zero, pads=[1] * 4)
            x = sketch.add("DequantizeLinear", x, scale, zero)
        else:
            x = sketch.add(form.kind, x, values, **({} if rows else {"pads": [1] * 4}))
            x = sketch.add("Mul", sketch.add("Cast", x, to=TensorProto.FLOAT), weight)
    return sketch.done(x, rows=rows)


def forms() -> Iterator[Form]:
    """All forms, by group."""
    for rest in ("float32", "float16", "bfloat16"):
        opset = 22 if rest == "bfloat16" else 19
        for weights, words in (("channel", "a scale for each channel"), ("tensor", "one scale"),
                               ("scaled", "one scale, Mul by channel behind")):  # fmt: skip
            yield Form("rest and weights", f"{rest}; {words}", rest=rest, weights=weights, opset=opset,
                       bias="apart" if weights == "scaled" else "inside")  # fmt: skip
    group = "where the factors of channels stand"
    yield Form(group, "on the weights, before the convolution", weights="inward")
    yield Form(group, "in Q of the result", pair="by channel")
    group = "Q, bias, activation"
    yield Form(group, "a pair before the activation, too", before=True)
    yield Form(group, "bias in an Add", bias="apart")
    yield Form(group, "no bias", bias="none")
    yield Form(group, "no bias, no activation", bias="none", activation="")
    yield Form(group, "Clip (ReLU6)", activation="Clip")
    yield Form(group, "Min and Max (ReLU6)", activation="Min, Max")
    yield Form(group, "Q/DQ at the output, too", last=True)
    group = "how Q and DQ are written"
    yield Form(group, "no zero point, output_dtype", pair="no zero point", opset=21)
    yield Form(group, "float32 scales, output_dtype of DQ", pair="float32 scales", opset=23)
    yield Form(group, "Mul, Clip, Round, Cast in place of Q", pair="by hand")
    yield Form(group, "weights alone", weights="alone")
    group = "operations"
    yield Form(group, "1x1", kernel=1)
    yield Form(group, "1x1; a scale for each channel", kernel=1, weights="channel")
    yield Form(group, "1x1 as MatMul; a scale for each channel", kernel=1, weights="channel", own=_pointwise_as_product)
    yield Form(group, "4 groups", groups=4)
    yield Form(group, "depthwise", groups=64)
    yield Form(group, "depthwise; a scale for each channel", groups=64, weights="channel")
    yield Form(group, "transposed 3x3", kind="ConvTranspose", bias="none")
    yield Form(group, "MatMul; a scale for each channel", kind="MatMul", weights="channel")
    yield Form(group, "Gemm; a scale for each channel", kind="Gemm", weights="channel")
    yield Form(group, "MaxPool behind each", own=_pooled)
    yield Form(group, "MaxPool behind each, behind its Q", own=_pooled_in_int8)
    for kind in ("QLinearConv", "ConvInteger", "MatMulInteger"):
        yield Form(group, kind, kind, own=_integer)
    group = "residual sums"
    yield Form(group, "shortcut in float16", shortcut="float")
    yield Form(group, "shortcut in float16; Mul by channel behind", shortcut="float", weights="scaled", bias="apart")
    yield Form(group, "shortcut quantised", shortcut="one")
    yield Form(group, "shortcut quantised; Mul by channel behind", shortcut="one", weights="scaled", bias="apart")
    yield Form(group, "both operands quantised", shortcut="both")
    yield Form(group, "two convolutions of one input", own=_branches)
    group = "shapes"
    yield Form(group, "24 channels", channels=24)
    yield Form(group, "24 channels, padded to 32", channels=32, padded_from=24)
    yield Form(group, "128 channels", channels=128)
    yield Form(group, "dynamic batch, 4 of 1 to 8", batch="N")
