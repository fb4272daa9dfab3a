"""Dynamic shapes: every case runs at the minimum, the optimum and the maximum of its profile."""

from __future__ import annotations

from trtbuild.suite import T, built, case, f32, keras, tf, weights

BATCH = {"x": f32(None, 6, profile=[(1, 6), (100, 6), (200, 6)])}
IMAGE = {"x": f32(None, None, None, 3, profile=[(1, 4, 5, 3), (2, 8, 8, 3), (4, 17, 12, 3)])}


@case(
    "transpose-batch1-dynamic-profile",
    "Transpose and product, batch 1 in a profile to 200",
    issues="NVIDIA/TensorRT#4533",
    inputs={"x": f32(None, 4, 6, profile=[(1, 4, 6), (200, 4, 6), (200, 4, 6)])},
    needs="Transpose MatMul",
    structure="Transpose of batch and rows, MatMul",
    tolerance=(1e-3, 1e-3),
)
def transpose_batch(x: T) -> T:
    return tf.matmul(tf.transpose(x, [1, 0, 2]), weights(6, 5))


@case(
    "accuracy-multi-profile-107",
    "Two inputs of dynamic length that are multiplied",
    issues="NVIDIA/TensorRT#4250",
    needs="MatMul",
    inputs={
        "a": f32(1, 8, None, profile=[(1, 8, 1), (1, 8, 64), (1, 8, 100)]),
        "b": f32(1, 8, None, profile=[(1, 8, 1), (1, 8, 5), (1, 8, 64)]),
    },
    tolerance=(1e-3, 1e-3),
)
def two_lengths(a: T, b: T) -> T:
    return tf.matmul(a, b, transpose_a=True)


@case("dynamic-conv-global-dense", "Convolution, global mean and dense layer, all sizes dynamic", IMAGE, needs="Conv",
      structure="Conv, Relu, GlobalAveragePool, MatMul", tolerance=(1e-3, 1e-3))  # fmt: skip
def classifier(x: T) -> T:
    y = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 4), 2, "SAME"))
    return built(lambda: keras.layers.Dense(5), tf.reduce_mean(y, [1, 2]))


@case("dynamic-conv-same-stride2", "SAME convolution, stride 2, odd and even sizes", IMAGE, needs="Conv",
      issues="tensorflow/tensorflow#27988", structure="the padding depends on the run-time size")  # fmt: skip
def conv_same(x: T) -> T:
    return tf.nn.conv2d(x, weights(3, 3, 3, 4), 2, "SAME")


@case(
    "dynamic-flatten-dense",
    "Flatten of a dynamic batch, dense layer",
    {"x": f32(None, 4, 4, 2, profile=[(1, 4, 4, 2), (3, 4, 4, 2), (16, 4, 4, 2)])},
    needs="Reshape",
)
def flatten(x: T) -> T:
    return built(lambda: keras.layers.Dense(3), tf.reshape(x, [-1, 32]))


@case(
    "dynamic-reshape-merge",
    "Batch and length merged, and split again",
    needs="Reshape",
    structure="Shape, Gather, Reshape, MatMul, Reshape",
    inputs={"x": f32(None, None, 4, profile=[(1, 2, 4), (2, 5, 4), (4, 16, 4)])},
)
def merge(x: T) -> T:
    shape = tf.shape(x)
    return tf.reshape(tf.matmul(tf.reshape(x, [-1, 4]), weights(4, 3)), [shape[0], shape[1], 3])


@case(
    "dynamic-broadcast-two-inputs",
    "Addition of two batches, one of which may be 1",
    needs="Add",
    inputs={"x": f32(None, 6, profile=[(1, 6), (4, 6), (8, 6)]), "y": f32(None, 6, profile=[(1, 6), (1, 6), (8, 6)])},
)
def broadcast(x: T, y: T) -> T:
    return x + y


@case(
    "dynamic-mean-by-count",
    "Mean by a count that is a run-time size",
    BATCH,
    structure="Shape, Cast, Div",
    needs="Shape Div",
)
def mean(x: T) -> T:
    return tf.reduce_sum(x, 0) / tf.cast(tf.shape(x)[0], tf.float32)


@case(
    "dynamic-crop-to-smaller",
    "Crop to a size computed from the input",
    IMAGE,
    needs="Slice",
    structure="Shape, Div, Slice",
)
def crop(x: T) -> T:
    height = tf.shape(x)[1] // 2
    return x[:, height // 2 : height // 2 + height]


@case("dynamic-pad-then-pool", "Pad to even sizes, then pool", IMAGE, needs="Pad", structure="Shape, Mod, Pad, MaxPool")
def pad_pool(x: T) -> T:
    odd = tf.shape(x)[1:3] % 2
    return tf.nn.max_pool2d(tf.pad(x, [[0, 0], [0, odd[0]], [0, odd[1]], [0, 0]]), 2, 2, "VALID")


@case(
    "dynamic-causal-mask",
    "Causal mask of a run-time length",
    {"x": f32(1, None, 4, profile=[(1, 1, 4), (1, 6, 4), (1, 20, 4)])},
    structure="Range, Less, Where, Softmax",
    needs="Softmax",
)
def causal(x: T) -> T:
    steps = tf.range(tf.shape(x)[1])
    scores = tf.where(steps[None, :] <= steps[:, None], tf.matmul(x, x, transpose_b=True), -1e9)
    return tf.matmul(tf.nn.softmax(scores), x)


@case("dynamic-if-shape", "Condition on a run-time size", BATCH, needs="If", structure="Shape, Greater, If")
def branch(x: T) -> T:
    return tf.cond(tf.shape(x)[0] > 50, lambda: x * 2.0, lambda: x - 1.0)


@case("dynamic-conv1d-length", "One-dimensional convolution over a dynamic length", needs="Conv",
      inputs={"x": f32(1, None, 4, profile=[(1, 3, 4), (1, 10, 4), (1, 31, 4)])})  # fmt: skip
def conv_length(x: T) -> T:
    return tf.nn.conv1d(x, weights(3, 4, 6), 2, "SAME")


@case(
    "dynamic-fp16-batch",
    "fp16 dense layers with a dynamic batch",
    BATCH,
    precision="fp16",
    issues="NVIDIA/TensorRT#4250",
    tolerance=(5e-2, 2e-2),
    needs="MatMul",
)
def dense_half(x: T) -> T:
    return built(lambda: keras.layers.Dense(4), built(lambda: keras.layers.Dense(8, activation="relu"), x))
