"""Conditions and loops: what branches and bodies contain, what they return, how often they run."""

from __future__ import annotations

from collections.abc import Callable

from trtbuild.suite import T, case, exactly, f32, grid, i32, tensor, tf, weights

FLAG = tensor("bool", values=exactly(1))


@case("cond-{taken}", "Condition on an input, {taken}", {"x": f32(3, 4), "flag": tensor("bool")}, needs="If",
      points=[{"taken": "drawn"}])  # fmt: skip
def cond(x: T, flag: T, taken: str) -> T:
    return tf.cond(flag, lambda: x * 2.0, lambda: x - 1.0)


@case("cond-on-values", "Condition computed from values", {"x": f32(3, 4)}, needs="If",
      structure="ReduceSum, Greater, If")  # fmt: skip
def cond_values(x: T) -> T:
    return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.nn.relu(x), lambda: tf.abs(x))


@case(
    "if-transpose-resize-{order}-{method}",
    "Condition, transpose {order}, resize by {method}",
    {"x": f32(None, 3, 4, 4, profile=[(1, 3, 4, 4), (2, 3, 4, 4), (4, 3, 4, 4)]), "flag": FLAG},
    needs="If Resize",
    points=[
        {"order": "after", "method": "bilinear", "id": "if-transpose-resize-11"},
        {"order": "before", "method": "bilinear"},
        {"order": "after", "method": "nearest"},
    ],
    issues="NVIDIA/TensorRT#4846",
    structure="If, Transpose, Resize, dynamic batch",
)
def cond_resize(x: T, flag: T, order: str, method: str) -> T:
    if order == "before":
        x = tf.transpose(x, [0, 2, 3, 1])
    y = tf.cond(flag, lambda: x * 2.0, lambda: x + 1.0)
    y = y if order == "before" else tf.transpose(y, [0, 2, 3, 1])
    return tf.image.resize(y, [8, 8], method)


@case("if-branches-rank", "Branches of different shapes", {"x": f32(1, 8), "flag": FLAG}, needs="If",
      issues="NVIDIA/TensorRT/release-notes@10.11")  # fmt: skip
def cond_shapes(x: T, flag: T) -> T:
    return tf.cond(flag, lambda: x, lambda: tf.concat([x, x], 1))


@case("if-shared-initializers", "Branches that share a constant, and one that captures the condition's input",
      {"x": f32(2, 4), "flag": FLAG}, needs="If", issues="NVIDIA/TensorRT/CHANGELOG@10.6")  # fmt: skip
def cond_shared(x: T, flag: T) -> T:
    shared = weights(4, 4)
    return tf.cond(
        flag, lambda: tf.matmul(x, shared), lambda: tf.matmul(x, shared, transpose_b=True) + tf.cast(flag, tf.float32)
    )


@case(
    "cond-nested",
    "Condition inside a condition",
    {"x": f32(2, 3), "a": FLAG, "b": tensor("bool", values=exactly(0))},
    needs="If",
)
def cond_nested(x: T, a: T, b: T) -> T:
    return tf.cond(a, lambda: tf.cond(b, lambda: x, lambda: -x), lambda: x * x)


@case("switch-case", "switch_case of three branches", {"x": f32(2, 3), "which": i32(values=exactly(1))})
def switch(x: T, which: T) -> T:
    return tf.switch_case(which, [lambda: x, lambda: x * 2.0, lambda: x * 3.0])


def loop(x: T, body: Callable[[T, T], T], count: T | int = 4) -> T:
    return tf.while_loop(lambda i, _: i < count, lambda i, v: (i + 1, body(v, i)), (0, x))[1]


@case("while-fixed", "Loop with a fixed count", {"x": f32(2, 3)}, needs="Loop")
def fixed(x: T) -> T:
    return loop(x, lambda v, i: tf.tanh(v + 0.5))


@case("conv-inside-while-loop", "Convolution inside a loop", {"x": f32(1, 5, 5, 3)}, needs="Loop Conv",
      issues="NVIDIA/TensorRT#1625", tolerance=(1e-3, 1e-3))  # fmt: skip
def loop_conv(x: T) -> T:
    return loop(x, lambda v, i: tf.nn.conv2d(v, weights(3, 3, 3, 3, scale=0.2), 1, "SAME"))


@case(
    "loop-intmax-trip",
    "Loop that ends by its values alone",
    {"x": f32(2)},
    issues="onnx/onnx-tensorrt/Changelog@8.5",
    needs="Loop",
    structure="the trip count is the largest integer",
)
def loop_values(x: T) -> T:
    return tf.while_loop(lambda v: tf.reduce_sum(tf.abs(v)) < 50.0, lambda v: (v * 2.0 + 1.0,), (x,))[0]


@case(
    "loop-count-input",
    "Loop whose count is an input",
    {"x": f32(2, 3), "count": i32(values=exactly(3))},
    needs="Loop",
    issues="microsoft/onnxruntime#13894",
)
def loop_count(x: T, count: T) -> T:
    return loop(x, lambda v, i: v + tf.cast(i, tf.float32), count)


@case("loop-carried-shape-must-be-constant", "Loop that grows a tensor", {"x": f32(1, 3)}, needs="Loop",
      issues="onnx/onnx-tensorrt/operators.md NVIDIA/TensorRT#2566")  # fmt: skip
def loop_growing(x: T) -> T:
    return tf.while_loop(
        lambda i, v: i < 3, lambda i, v: (i + 1, tf.concat([v, v[-1:] * 2.0], 0)), (0, x),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3])))[1]  # fmt: skip


@case(
    "while-loop-dynamic-subgraph",
    "Loop over a tensor of dynamic length",
    needs="Loop",
    inputs={"x": f32(None, 3, profile=[(1, 3), (4, 3), (16, 3)])},
    issues="NVIDIA/TensorRT#2566 onnx/onnx-tensorrt#890",
)
def loop_dynamic(x: T) -> T:
    return loop(x, lambda v, i: v * 0.5 + tf.reduce_mean(v, 0, keepdims=True))


@case("while-multiple-scan-outputs", "Loop that fills two TensorArrays", {"x": f32(3)},
      issues="onnx/tensorflow-onnx#1229", needs="Loop")  # fmt: skip
def loop_arrays(x: T) -> T:
    first, second = (tf.TensorArray(tf.float32, 4, element_shape=[3]) for _ in range(2))
    done = tf.while_loop(lambda i, *_: i < 4, lambda i, v, a, b: (i + 1, v * 1.5, a.write(i, v), b.write(i, -v)),
                         (0, x, first, second))  # fmt: skip
    return done[2].stack(), done[3].stack()


@case("tensorarray-nested-while", "Loop inside a loop, with a TensorArray", {"x": f32(3)},
      issues="onnx/tensorflow-onnx#1899", needs="Loop")  # fmt: skip
def loop_nested(x: T) -> T:
    array = tf.TensorArray(tf.float32, 3, element_shape=[3])
    body = lambda i, v, a: (i + 1, v + 1.0, a.write(i, loop(v, lambda w, j: w * 1.1, 2)))  # noqa: E731
    return tf.while_loop(lambda i, *_: i < 3, body, (0, x, array))[2].stack()


@case(
    "tensorarray-dynamic-size",
    "TensorArray of dynamic size",
    {"x": f32(3)},
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
    needs="Loop",
)
def loop_sequence(x: T) -> T:
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[3])
    return tf.while_loop(lambda i, *_: i < 3, lambda i, a: (i + 1, a.write(i, x * tf.cast(i, tf.float32))), (0, array))[
        1
    ].stack()


@case(
    "{name}-over-rows",
    "tf.{name} over rows",
    {"x": f32(4, 3)},
    points=grid(name=("map_fn", "vectorized_map")),
    needs=lambda name: "Loop" if name == "map_fn" else "Softmax",
)
def over_rows(x: T, name: str) -> T:
    return getattr(tf, name)(lambda row: tf.nn.softmax(row) * 2.0, x)


@case("scan-{direction}", "tf.scan, {direction}", {"x": f32(4, 3)}, points=grid(direction=("forward", "reverse")))
def scan(x: T, direction: str) -> T:
    return tf.scan(lambda a, row: a * 0.5 + row, x, reverse=direction == "reverse")


@case("foldl", "tf.foldl", {"x": f32(4, 3)}, needs="Loop")
def foldl(x: T) -> T:
    return tf.foldl(lambda a, row: a * 0.5 + row, x)


@case("loop-{precision}", "{precision} loop with a condition inside", {"x": f32(2, 3)}, precision="{precision}",
      points=grid(precision=("fp16", "bf16")), needs="Loop If")  # fmt: skip
def loop_low(x: T, precision: str) -> T:
    return loop(x, lambda v, i: tf.cond(i % 2 < 1, lambda: tf.sin(v), lambda: v * 0.5))


@case(
    "nested-functions",
    "Function inside a function",
    {"x": f32(2, 3)},
    issues="NVIDIA/TensorRT/CHANGELOG@10.8",
    needs="Relu",
)
def nested_functions(x: T) -> T:
    inner = tf.function(lambda t: tf.nn.relu(t) + 1.0, autograph=False)
    outer = tf.function(lambda t: inner(inner(t) * 2.0), autograph=False)
    return outer(x)
