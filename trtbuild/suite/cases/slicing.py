"""Slices, tiles, splits and concatenations: from the end, by steps, empty, dynamic, by inputs."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, i32, tf

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


@case("stack-unstack", "unstack, reversed, stacked on another axis", CUBE, needs="Split Concat")
def stack(x: T) -> T:
    return tf.stack(tf.unstack(x, axis=1)[::-1], axis=2)


@case(
    "repeat-by-input",
    "Repeat by counts that are an input",
    {"x": f32(3, 2), "times": i32(3, values=exactly(2, 0, 1))},
    needs="NonZero Expand",
)
def repeat(x: T, times: T) -> T:
    return tf.repeat(x, times, axis=0)
