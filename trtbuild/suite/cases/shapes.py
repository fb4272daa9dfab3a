"""Shapes: slices, concatenations, reshapes, transposes, empty tensors, ranks; and shapes as values."""

from __future__ import annotations

from typing import Any

from trtbuild.suite import case, exactly, f32, grid, i32, tensor, tf

T = Any
CUBE = {"x": f32(3, 4, 5)}
LENGTH = {"x": f32(None, 4, profile=[(1, 4), (3, 4), (9, 4)])}


@case(
    "slice-negative-index-old",
    "Slices from the end, by steps and backwards",
    CUBE,
    issues="onnx/onnx-tensorrt#204",
    needs="Slice",
)
def slice_negative(x: T) -> T:
    return x[:, :, -3:-1], x[::-2], x[:, 3:0:-1]


@case(
    "stridedslice-shrink-dynamic",
    "Slice with a lost, a new and an ellipsis axis, dynamic batch",
    {"x": f32(None, 4, 5, profile=[(1, 4, 5), (2, 4, 5), (6, 4, 5)])},
    issues="tensorflow/tensorflow#58150 tensorflow/tensorflow#51475 tensorflow/tensorflow#24078",
    needs="Slice",
)
def slice_masks(x: T) -> T:
    return x[-1, ..., tf.newaxis, 1:3]


@case(
    "slice-negative-size-dynamic",
    "Slice that is empty at the smallest shape",
    LENGTH,
    issues="NVIDIA/TensorRT#3480",
    needs="Slice",
    structure="x[2:] of one row",
)
def slice_empty(x: T) -> T:
    return x[2:]


@case("slice-large", "Slice to the largest integer", {"x": f32(4, 5)}, issues="onnx/onnx-tensorrt#558", needs="Slice")
def slice_large(x: T) -> T:
    return tf.strided_slice(x, [1, 0], [2**31 - 1, 2**31 - 1], [1, 2])


@case(
    "slice-begin-input",
    "Slice whose begin is a graph input",
    {"x": f32(4, 5), "begin": i32(2, values=exactly(1, 2))},
    needs="Slice",
    issues="NVIDIA/TensorRT/CHANGELOG@10.3",
)
def slice_input(x: T, begin: T) -> T:
    return tf.slice(x, begin, [2, 3])


@case(
    "tensor-axes-inputs",
    "Tile by a graph input",
    {"x": f32(2, 3), "times": i32(2, values=exactly(2, 1))},
    needs="Tile",
    issues="NVIDIA/TensorRT/CHANGELOG@10.3",
)
def tile_input(x: T, times: T) -> T:
    return tf.tile(x, times)


@case(
    "bf16-slice-zero-1014",
    "bf16 tile by a computed shape",
    LENGTH,
    issues="NVIDIA/TensorRT#4718",
    precision="bf16",
    needs="Tile",
    structure="Shape, Slice, Tile",
)
def tile_shape(x: T) -> T:
    return tf.tile(tf.ones([1, 4]) * 1.5, [tf.shape(x)[0], 1]) * x


@case("reverse-two-axes", "tf.reverse over two axes", CUBE, needs="ReverseSequence")
def reverse(x: T) -> T:
    return tf.reverse(x, [0, -1])


@case("roll", "tf.roll by two axes", CUBE, needs="Slice Concat")
def roll(x: T) -> T:
    return tf.roll(x, [1, -2], [0, 2])


@case("split-fuzz-861", "Split of 7 in uneven parts", {"x": f32(7)}, issues="NVIDIA/TensorRT#3466", needs="Split")
def split(x: T) -> T:
    return tf.split(x, [1, 2, 4])


@case(
    "split-concat-order-91",
    "fp16 split and concatenation in another order",
    {"x": f32(1, 48)},
    precision="fp16",
    issues="NVIDIA/TensorRT#3424",
    needs="Split Concat",
    structure="Split into q, k, v; Concat of v, q, k",
)
def split_concat(x: T) -> T:
    q, k, v = tf.split(x, 3, 1)
    return tf.concat([v, q, k], 1), tf.concat([q, k, v], 1)


@case(
    "concat-dims-shape-analyzer",
    "Concatenation of two dynamic lengths",
    issues="NVIDIA/TensorRT#2731",
    needs="Concat",
    inputs={"a": f32(None, 4, profile=[(1, 4), (3, 4), (9, 4)]), "b": f32(None, 4, profile=[(2, 4), (2, 4), (5, 4)])},
)
def concat_dynamic(a: T, b: T) -> T:
    return tf.concat([a, b[1:], a[:1]], 0)


@case("concat-same-twice", "Concatenation of a tensor with itself", {"x": f32(2, 3)}, needs="Concat")
def concat_twice(x: T) -> T:
    y = tf.nn.relu(x)
    return tf.concat([y, y, x], 1)


@case(
    "identity-celu-emptytensor-84",
    "Concatenation with an empty tensor",
    {"x": f32(2, 4)},
    issues="onnx/onnx-tensorrt/Changelog@8.4",
    needs="Concat",
)
def concat_empty(x: T) -> T:
    return tf.concat([tf.zeros([0, 4]), x], 0) * 2.0


@case("empty-result", "A result without elements", {"x": f32(2, 4)}, needs="Slice")
def empty(x: T) -> T:
    return x[:, 4:] * 2.0, x + 1.0


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


@case("stack-unstack", "unstack, reversed, stacked on another axis", CUBE, needs="Split Concat")
def stack(x: T) -> T:
    return tf.stack(tf.unstack(x, axis=1)[::-1], axis=2)


@case(
    "meshgrid",
    "meshgrid of two run-time lengths",
    {"a": f32(3), "b": f32(None, profile=[(1,), (4,), (8,)])},
    needs="Reshape Mul",
)
def meshgrid(a: T, b: T) -> T:
    return tf.meshgrid(a, b)


@case(
    "repeat-by-input",
    "Repeat by counts that are an input",
    {"x": f32(3, 2), "times": i32(3, values=exactly(2, 0, 1))},
    needs="NonZero Expand",
)
def repeat(x: T, times: T) -> T:
    return tf.repeat(x, times, axis=0)


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
