"""Padding: constants, mirrors, outer dimensions, and pads in front of what could fold them."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, i32, tf, weights

MATRIX = {"x": f32(3, 4)}


@case(
    "pad-nonzero-constant",
    "Padding with a constant other than zero",
    MATRIX,
    issues="NVIDIA/TensorRT#1019",
    needs="Pad",
)
def pad_constant(x: T) -> T:
    return tf.pad(x, [[1, 2], [0, 3]], constant_values=-7.5)


@case("pad-reflect", "Reflecting padding", MATRIX, issues="NVIDIA/TensorRT#1019", needs="Pad")
def pad_reflect(x: T) -> T:
    return tf.pad(x, [[2, 1], [3, 0]], "REFLECT")


@case(
    "pad-symmetric",
    "Symmetric padding, which ONNX has not",
    MATRIX,
    issues="onnx/tensorflow-onnx#72 onnx/tensorflow-onnx#1698",
    needs="Pad Compress",
)
def pad_symmetric(x: T) -> T:
    return tf.pad(x, [[1, 1], [2, 2]], "SYMMETRIC")


@case(
    "pad-symmetric-one-sided",
    "Symmetric padding of one side only",
    MATRIX,
    issues="onnx/tensorflow-onnx#1698",
    needs="Pad Compress",
)
def pad_symmetric_one(x: T) -> T:
    return tf.pad(x, [[0, 2], [0, 0]], "SYMMETRIC")


@case("pad-reflect-dynamic-84", "Reflecting padding with a dynamic batch",
      {"x": f32(None, 1, 3, 3, profile=[(1, 1, 3, 3), (2, 1, 3, 3), (8, 1, 3, 3)])}, needs="Pad",
      issues="NVIDIA/trt-samples-for-hackathon-cn#34")  # fmt: skip
def pad_reflect_dynamic(x: T) -> T:
    return tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 2]], "REFLECT")


@case("pad-nchw-outer-dims", "Explicit padding in front of a VALID convolution", {"x": f32(1, 8, 8, 3)},
      issues="onnx/onnx-tensorrt#79 onnx/onnx-tensorrt#593 onnx/tensorflow-onnx#201", needs="Conv",
      structure="Pad, Conv: the pad may be folded")  # fmt: skip
def pad_conv(x: T) -> T:
    return tf.nn.conv2d(tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]]), weights(7, 7, 3, 4, scale=0.1), 2, "VALID")


@case("pad-conv-second-consumer", "Padding with ones, read by a convolution and an output", {"x": f32(1, 6, 6, 3)},
      needs="Pad Conv", structure="Pad with two consumers")  # fmt: skip
def pad_conv_twice(x: T) -> T:
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)
    return tf.nn.conv2d(padded, weights(3, 3, 3, 4), 1, "VALID"), padded


@case("pad-batch-and-channels", "Padding of batch and channels", {"x": f32(1, 4, 4, 3)}, needs="Pad")
def pad_outer(x: T) -> T:
    return tf.pad(x, [[1, 0], [0, 0], [0, 0], [2, 3]])


@case("pad-rank-5", "Padding of a rank 5 tensor", {"x": f32(1, 2, 3, 4, 2)}, needs="Pad")
def pad_five(x: T) -> T:
    return tf.pad(x, [[0, 0], [1, 0], [0, 2], [1, 1], [0, 1]])


@case("pad-int32", "Padding of integers", {"x": i32(3, 4)}, needs="Pad")
def pad_int(x: T) -> T:
    return tf.pad(x, [[1, 1], [0, 2]], constant_values=-1)


@case("pad-to-multiple", "Padding to a multiple of 8 of the run-time length",
      {"x": f32(1, None, 4, profile=[(1, 3, 4), (1, 8, 4), (1, 30, 4)])}, needs="Pad",
      structure="pads computed from Shape")  # fmt: skip
def pad_multiple(x: T) -> T:
    missing = (8 - tf.shape(x)[1] % 8) % 8
    return tf.pad(x, tf.reshape(tf.stack([0, 0, 0, missing, 0, 0]), [3, 2]))


@case(
    "pad-pads-input",
    "Padding whose amounts are a graph input",
    {"x": f32(3, 4), "pads": i32(4, values=exactly(1, 0, 2, 1))},
    needs="Pad",
    issues="NVIDIA/TensorRT/CHANGELOG@10.3",
)
def pad_input(x: T, pads: T) -> T:
    return tf.pad(x, tf.reshape(pads, [2, 2]))


@case("pad-fp16-minus-inf", "fp16 padding with minus infinity", MATRIX, precision="fp16", needs="Pad")
def pad_inf(x: T) -> T:
    return tf.pad(x, [[1, 1], [1, 1]], constant_values=float("-inf"))
