"""Pooling: padding that must not count, dilation, indices, and odd windows."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, keras, tf, uniform

POOLS = {"max": "max_pool2d", "avg": "avg_pool2d"}
OPS = {"max": "MaxPool", "avg": "AveragePool"}


@case(
    "{kind}pool-same-k{k}-s{s}-n{n}", "SAME {kind} pooling, window {k}, stride {s}, size {n}",
    {"x": f32(1, "n", "n", 3, values=uniform(-3, -1))}, points=grid(kind=("max", "avg"), k=(2, 3), s=(2, 3), n=(7, 8)),
    issues="tensorflow/tensorflow#27988 onnx/tensorflow-onnx#4 onnx/onnx-tensorrt#663",
    structure="all values are negative: padding with zeros would win, and count", needs=lambda kind, **_: OPS[kind]
)  # fmt: skip
def pool_same(x: T, kind: str, k: int, s: int, n: int) -> T:
    return getattr(tf.nn, POOLS[kind])(x, k, s, "SAME")


@case("{kind}pool-valid-odd", "VALID {kind} pooling of an odd size: the last row is dropped", {"x": f32(1, 7, 7, 3)},
      points=grid(kind=("max", "avg")), needs=lambda kind, **_: OPS[kind])  # fmt: skip
def pool_valid(x: T, kind: str) -> T:
    return getattr(tf.nn, POOLS[kind])(x, 2, 2, "VALID")


@case(
    "avgpool-ceil-exclude-pad",
    "Average pooling with windows partly outside",
    {"x": f32(1, 7, 7, 3)},
    issues="onnx/onnx-tensorrt#663 PaddlePaddle/Paddle#14452 microsoft/onnxruntime#16203",
    needs="AveragePool",
)
def pool_border(x: T) -> T:
    return tf.nn.avg_pool2d(x, [3, 2], [2, 1], "SAME")


@case("{kind}pool-dilated", "{kind} pooling with dilation 2", {"x": f32(1, 9, 9, 3)},
      points=[{"kind": "avg"}, {"kind": "max"}],
      issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp", needs=lambda kind: f"SpaceToDepth {OPS[kind]}")  # fmt: skip
def pool_dilated(x: T, kind: str) -> T:
    return tf.nn.pool(x, [2, 2], kind.upper(), dilations=[2, 2], padding="VALID")


@case("maxpool-indices", "Max pooling with indices", {"x": f32(1, 6, 6, 2)}, issues="onnx/onnx-tensorrt/operators.md",
      needs="MaxPool")  # fmt: skip
def pool_argmax(x: T) -> T:
    return tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")


@case("maxpool-indices-unused", "Max pooling with indices that nobody reads", {"x": f32(1, 6, 6, 2)}, needs="MaxPool")
def pool_argmax_unused(x: T) -> T:
    return tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")[0]


@case(
    "{kind}pool3d",
    "SAME {kind} pooling in 3-D, odd size",
    {"x": f32(1, 5, 5, 5, 2)},
    points=grid(kind=("max", "avg")),
    needs=lambda kind, **_: OPS[kind],
)
def pool_3d(x: T, kind: str) -> T:
    return getattr(tf.nn, f"{kind}_pool3d")(x, 2, 2, "SAME")


@case(
    "{kind}pool1d",
    "SAME {kind} pooling in 1-D, odd size",
    {"x": f32(1, 9, 3)},
    points=grid(kind=("max", "avg")),
    needs=lambda kind, **_: OPS[kind],
)
def pool_1d(x: T, kind: str) -> T:
    return getattr(tf.nn, f"{kind}_pool1d")(x, 2, 2, "SAME")


@case("avgpool-window-64", "Average pooling with a window of 64", {"x": f32(1, 64, 64, 2)}, needs="AveragePool")
def pool_large(x: T) -> T:
    return tf.nn.avg_pool2d(x, 64, 1, "VALID")


@case(
    "globalpool-{kind}",
    "Global {kind} pooling of Keras with kept dimensions",
    {"x": f32(2, 5, 7, 3)},
    points=[{"kind": "Average"}, {"kind": "Max"}],
    needs=lambda kind: {"Average": "ReduceMean", "Max": "ReduceMax"}[kind],
)
def pool_global(x: T, kind: str) -> T:
    return getattr(keras.layers, f"Global{kind}Pooling2D")(keepdims=True)(x)


@case("maxpool-nan-and-inf", "Max pooling of NaN and infinities",
      {"x": f32(1, 4, 4, 1, values=exactly(float("-inf"), float("-inf"), 1.0, 2.0, float("-inf"), float("-inf"), 3.0,
                                           float("inf"), 5.0))}, needs="MaxPool")  # fmt: skip
def pool_special(x: T) -> T:
    return tf.nn.max_pool2d(x, 2, 2, "SAME")


@case("avgpool-dynamic-size", "SAME average pooling with dynamic height and width",
      {"x": f32(1, None, None, 3, profile=[(1, 4, 5, 3), (1, 8, 8, 3), (1, 15, 16, 3)])}, needs="AveragePool",
      structure="the padding depends on the run-time size")  # fmt: skip
def pool_dynamic(x: T) -> T:
    return tf.nn.avg_pool2d(x, 3, 2, "SAME")


@case("pool-fractional", "Fractional max pooling", {"x": f32(1, 8, 8, 1)})
def pool_fractional(x: T) -> T:
    return tf.nn.fractional_max_pool(x, [1.0, 1.4, 1.4, 1.0], seed=1)[0]


@case("maxpool-channels", "Max pooling over channels", {"x": f32(1, 4, 4, 8)}, needs="MaxPool")
def pool_channels(x: T) -> T:
    return tf.nn.max_pool(x, [1, 1, 1, 2], [1, 1, 1, 2], "SAME")


@case("maxpool-fp16-second-consumer", "fp16 max pooling whose input is also an output", {"x": f32(1, 6, 6, 4)},
      precision="fp16", needs="MaxPool", structure="Relu with two consumers, MaxPool, AveragePool, Add")  # fmt: skip
def pool_twice(x: T) -> T:
    y = tf.nn.relu(x)
    return tf.nn.max_pool2d(y, 3, 1, "SAME") + tf.nn.avg_pool2d(y, 3, 1, "SAME"), y
