"""Twenty-one graphs with a useless pair of QuantizeLinear and DequantizeLinear each, and the same graphs without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, CHANNELS = 32, 32
SHAPE = [1, CHANNELS, SIZE, SIZE]


class Network:
    """Nodes added one after the other, each named after its result; ``planted``: whether useless pairs are there."""

    def __init__(self, planted: bool) -> None:
        self.planted = planted
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.random = np.random.default_rng(0)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def pair(self, x: str, scale: Any = 0.05, **attributes: Any) -> str:
        zero = self.constant(np.zeros(np.shape(scale), np.int8))
        step = self.constant(np.asarray(scale, np.float32))
        quantised = self.op("QuantizeLinear", x, step, zero, **attributes)
        return self.op("DequantizeLinear", quantised, step, zero, **attributes)

    def useless(self, x: str, scale: Any = 0.05, **attributes: Any) -> str:
        return self.pair(x, scale, **attributes) if self.planted else x

    def conv(self, x: str, inputs: int = CHANNELS, *, kernel: int = 3, quantised: bool = False) -> str:
        weights = self.random.normal(0, 0.2, (CHANNELS, inputs, kernel, kernel)).astype(np.float32)
        w = self.constant(weights)
        if quantised:
            x = self.pair(x)
            w = self.op(
                "DequantizeLinear", self.constant(np.clip(weights * 100, -127, 127).astype(np.int8)),
                self.constant(np.full(CHANNELS, 0.01, np.float32)), axis=0,
            )  # fmt: skip
        return self.op("Conv", x, w, pads=[kernel // 2] * 4)

    def shaped(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.constant(np.array(shape)))

    def product(self, x: str, rows: int, columns: int) -> str:
        return self.op("MatMul", x, self.constant(self.random.normal(size=(rows, columns)).astype(np.float32)))

    def model(self, y: str) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Identity", [y], ["y"], name="last"))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
        content = helper.make_graph(
            self.nodes, "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], self.constants
        )
        return helper.make_model(content, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


Part = Callable[[Network, str], str]


def between(part: Part, *, quantised: bool = False) -> Part:
    """Convolution, Relu, the part, convolution."""

    def whole(net: Network, x: str) -> str:
        return net.conv(part(net, net.op("Relu", net.conv(x, quantised=quantised))), quantised=quantised)

    return whole


def transposed(net: Network, x: str) -> str:
    turned = net.op("Transpose", net.useless(x), perm=[0, 1, 3, 2])
    return net.op("Transpose", net.useless(turned), perm=[0, 1, 3, 2])


def pooled(net: Network, x: str) -> str:
    return net.useless(net.op("MaxPool", net.useless(x), kernel_shape=[2, 2], pads=[0, 0, 1, 1]))


def joined(net: Network, x: str) -> str:
    both = net.op("Concat", net.useless(x), net.useless(net.op("Sigmoid", x)), axis=1)
    return net.conv(both, 2 * CHANNELS, kernel=1)


def branch(net: Network, x: str) -> str:
    first = net.op("Relu", net.conv(x, quantised=True))
    return net.op("Mul", net.useless(first, 0.08), net.op("Sigmoid", net.conv(first, quantised=True)))


def added(net: Network, x: str) -> str:
    return net.op("Relu", net.op("Add", net.useless(net.conv(x)), net.useless(x)))


def averaged(net: Network, x: str) -> str:
    return net.op("AveragePool", net.useless(x), kernel_shape=[3, 3], pads=[1] * 4)


def resized(net: Network, x: str) -> str:
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    large = net.op("Resize", net.useless(x), "", scales, mode="nearest")
    return net.op("AveragePool", large, kernel_shape=[2, 2], strides=[2, 2])


def products(net: Network, x: str) -> str:
    rows = net.product(net.shaped(x, SIZE * SIZE, CHANNELS), CHANNELS, 2 * CHANNELS)
    return net.product(net.useless(rows), 2 * CHANNELS, CHANNELS)


def attended(net: Network, x: str) -> str:
    shares = net.op("Softmax", net.shaped(x, CHANNELS, SIZE * SIZE), axis=-1)
    return net.product(net.useless(shares, 0.01), SIZE * SIZE, CHANNELS)


GRAPHS: dict[str, Part] = {
    "between float convolutions": between(lambda net, x: net.useless(x)),
    "twice in a row": between(lambda net, x: net.useless(net.useless(x))),
    "for each channel": between(lambda net, x: net.useless(x, np.linspace(0.01, 0.1, CHANNELS), axis=1)),
    "the same scale again": between(lambda net, x: net.useless(x), quantised=True),
    "another scale first": between(lambda net, x: net.useless(x, 0.07), quantised=True),
    "three scales": between(lambda net, x: net.useless(net.useless(x, 0.06), 0.07), quantised=True),
    "around Transpose": between(transposed),
    "around Reshape": between(lambda net, x: net.shaped(net.useless(net.shaped(x, 1, CHANNELS, SIZE**2)), *SHAPE)),
    "around MaxPool": between(pooled),
    "around Identity": between(lambda net, x: net.op("Identity", net.useless(net.op("Identity", x)))),
    "around Relu": between(lambda net, x: net.op("Relu", net.useless(x))),
    "around Sigmoid": between(lambda net, x: net.useless(net.op("Sigmoid", net.useless(x)))),
    "around AveragePool": between(averaged),
    "around Resize": between(resized),
    "before Concat": between(joined),
    "before the output": lambda net, x: net.useless(net.conv(x, quantised=True)),
    "at the input": lambda net, x: net.conv(net.useless(x)),
    "on a branch that stays float": branch,
    "around a float Add": added,
    "between float products": products,
    "behind Softmax": attended,
}


def network(name: str, *, planted: bool = True) -> onnx.ModelProto:
    made = Network(planted)
    return made.model(GRAPHS[name](made, "x"))
