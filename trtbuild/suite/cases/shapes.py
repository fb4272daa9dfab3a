"""Shapes: reshapes, transposes, empty tensors, ranks, patches; and shapes as values."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, tensor, tf

CUBE = {"x": f32(3, 4, 5)}
LENGTH = {"x": f32(None, 4, profile=[(1, 4), (3, 4), (9, 4)])}


@case(
    "reshape-allowzero",
    "Reshape of a dynamic batch to minus one",
    LENGTH,
    issues="onnx/onnx-tensorrt/Changelog@8.5",
    needs="Reshape",
)
def reshape(x: T) -> T:
    return tf.reshape(x, [-1, 2, 2]), tf.reshape(x, [tf.shape(x)[0] * 2, 2])


@case(
    "shape-op-output-type",
    "Shape, size and rank as outputs",
    {"x": f32(None, 4, 5, profile=[(1, 4, 5), (3, 4, 5), (8, 4, 5)])},
    issues="NVIDIA/TensorRT#3465",
    needs="Shape",
    opset=15,
)
def shapes(x: T) -> T:
    return tf.shape(x), tf.shape(x, out_type=tf.int64)[1:], tf.size(x), x + tf.cast(tf.rank(x), tf.float32)


@case("range-of-shape", "Range to a run-time size, times the values", LENGTH, needs="Range")
def range_shape(x: T) -> T:
    return tf.cast(tf.range(tf.shape(x)[0]), tf.float32)[:, None] * x


@case("range-float-step", "Range of floats with a step input", {"step": f32(values=exactly(0.5))}, needs="Range")
def range_step(step: T) -> T:
    return tf.range(0.0, 2.0, step)


@case(
    "eye-dynamic",
    "Identity matrix of a run-time size",
    LENGTH,
    issues="onnx/onnx-tensorrt/operators.md",
    needs="EyeLike",
)
def eye(x: T) -> T:
    return tf.matmul(tf.eye(tf.shape(x)[0]), x)


@case("fill-{dtype}", "Zeros of {dtype} of a run-time shape", LENGTH, issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
      points=[{"dtype": "uint8"}, {"dtype": "float32"}, {"dtype": "bool"}], needs="Expand")  # fmt: skip
def fill(x: T, dtype: str) -> T:
    return tf.cast(tf.zeros(tf.shape(x), dtype), tf.float32) + x


@case(
    "broadcast-to-shape-of",
    "broadcast_to the shape of another tensor",
    {"x": f32(1, 4), "like": f32(3, 4)},
    needs="Expand",
)
def broadcast_to(x: T, like: T) -> T:
    return tf.broadcast_to(x, tf.shape(like)) + like


@case(
    "transpose-rank{rank}",
    "Transpose of rank {rank}",
    {"x": f32("a", 2, 1, 3, 2)},
    points=[{"rank": 5, "a": 2}],
    needs="Transpose",
)
def transpose(x: T, rank: int, a: int) -> T:
    return tf.transpose(x, [3, 0, 4, 2, 1])


@case(
    "rank-{rank}",
    "Reshape to rank {rank} and a transpose there",
    {"x": f32(512)},
    points=grid(rank=(8, 9)),
    needs="Transpose",
)
def rank(x: T, rank: int) -> T:
    return tf.transpose(tf.reshape(x, [2] * rank if rank == 9 else [4] + [2] * 7), [*range(rank - 1, -1, -1)]) * 2.0


@case(
    "tf2onnx-transposes",
    "Transposes that cancel, with an operation between",
    {"x": f32(1, 4, 5, 3)},
    issues="onnx/tensorflow-onnx#938",
    needs="Transpose Relu",
)
def transposes(x: T) -> T:
    y = tf.nn.relu(tf.transpose(x, [0, 3, 1, 2]))
    return tf.transpose(y, [0, 2, 3, 1]) + tf.reduce_mean(y)


@case(
    "{name}-block{block}",
    "{name}, block {block}",
    {"x": f32(1, 6, 6, 9)},
    points=[{"name": "depth_to_space", "block": 3}, {"name": "space_to_depth", "block": 2}],
    needs=lambda name, **_: {"depth_to_space": "DepthToSpace", "space_to_depth": "SpaceToDepth"}[name],
)
def block(x: T, name: str, block: int) -> T:
    return getattr(tf.nn, name)(x, block)


@case("depth-to-space-nchw", "depth_to_space of channels first", {"x": f32(1, 8, 3, 3)}, needs="DepthToSpace")
def block_nchw(x: T) -> T:
    return tf.transpose(tf.nn.depth_to_space(tf.transpose(x, [0, 2, 3, 1]), 2), [0, 3, 1, 2])


@case("extract-image-patches-{padding}-r{rate}", "extract_patches, {padding}, rate {rate}", {"x": f32(1, 7, 7, 2)},
      points=[{"padding": "SAME", "rate": 1, "id": "extract-image-patches"}, {"padding": "VALID", "rate": 2}],
      issues="onnx/tensorflow-onnx#436 onnx/tensorflow-onnx#2188 onnx/onnx#4689", needs="Conv EyeLike")  # fmt: skip
def patches(x: T, padding: str, rate: int) -> T:
    return tf.image.extract_patches(x, [1, 3, 3, 1], [1, 2, 2, 1], [1, rate, rate, 1], padding)


@case(
    "meshgrid",
    "meshgrid of two run-time lengths",
    {"a": f32(3), "b": f32(None, profile=[(1,), (4,), (8,)])},
    needs="Reshape Mul",
)
def meshgrid(a: T, b: T) -> T:
    return tf.meshgrid(a, b)


@case("squeeze-unknown", "Squeeze of every axis of one", {"x": f32(1, 3, 1, 2)}, needs="Squeeze")
def squeeze(x: T) -> T:
    return tf.squeeze(x), tf.expand_dims(tf.squeeze(x, [2]), -1)


@case(
    "identity-graph",
    "A graph that only passes its input on",
    {"x": f32(2, 3)},
    issues="NVIDIA/TensorRT#4586",
    needs="Identity",
)
def identity(x: T) -> T:
    return tf.identity(x)


@case("constant-result", "A result that is a constant, beside one that is not", {"x": f32(2, 3)}, needs="Mul")
def constant(x: T) -> T:
    return tf.constant([[1.5, 2.5]]), x * 2.0


@case("scalar-input", "Scalars in and out", {"x": f32(), "y": tensor("int32", values=exactly(3))}, needs="Mul")
def scalar(x: T, y: T) -> T:
    return x * tf.cast(y, tf.float32)
