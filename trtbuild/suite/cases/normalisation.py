"""Normalisation: batch, layer, group and instance, in several precisions and scales, fused or not."""

from __future__ import annotations

from trtbuild.suite import T, built, case, exactly, f32, grid, keras, normal, tf, uniform, weights


@case(
    "conv-bn-relu",
    "Convolution, batch normalisation, ReLU",
    {"x": f32(1, 8, 8, 3)},
    issues="onnx/onnx-tensorrt#594",
    needs="Conv",
    structure="Conv, BatchNormalization, Relu, folded into one",
)
def conv_bn_relu(x: T) -> T:
    y = tf.nn.conv2d(x, weights(3, 3, 3, 16), 1, "SAME")
    return tf.nn.relu(built(lambda: keras.layers.BatchNormalization(), y))


@case(
    "bn-double-fold-tf2onnx",
    "Convolution read before and after its batch normalisation",
    {"x": f32(1, 6, 6, 3)},
    issues="onnx/tensorflow-onnx#1494",
    needs="Conv",
    structure="Conv with two consumers, one of them BatchNormalization",
)
def conv_bn_twice(x: T) -> T:
    y = tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME")
    return built(lambda: keras.layers.BatchNormalization(), y) + y


@case("bn-opset-{opset}", "Batch normalisation alone, opset {opset}", {"x": f32(2, 4, 4, 3)},
      points=[{"opset": 13}], issues="onnx/tensorflow-onnx#2150", opset=13, needs="Mul Add")  # fmt: skip
def bn_alone(x: T, opset: int) -> T:
    return built(lambda: keras.layers.BatchNormalization(), x)


@case("bn-statistics-of-the-batch", "Batch normalisation with statistics of the batch", {"x": f32(4, 4, 4, 3)},
      issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp", needs="BatchNormalization")  # fmt: skip
def bn_training(x: T) -> T:
    return tf.compat.v1.nn.fused_batch_norm(x, weights(3), weights(3, seed=2), is_training=True)[0]


@case("bn-mixed-strong-typing", "Batch normalisation of half values with float statistics", {"x": f32(2, 4, 4, 3)},
      issues="NVIDIA/TensorRT/CHANGELOG@10.7", tolerance=(1e-2, 1e-2), needs="BatchNormalization")  # fmt: skip
def bn_mixed(x: T) -> T:
    scale, mean, variance = weights(3), weights(3, seed=2), tf.abs(weights(3, seed=3)) + 0.1
    half = tf.cast(x, tf.float16)
    y = tf.compat.v1.nn.fused_batch_norm(half, scale, scale, mean, variance, is_training=False)[0]
    return tf.cast(y, tf.float32)


@case(
    "layernorm-{precision}-x{scale}",
    "Layer normalisation, {precision}, values near {scale}",
    {"x": f32(2, 5, 768, values=normal(300.0))},
    precision="{precision}",
    tolerance=(3e-2, 3e-2),
    points=[{"precision": "fp32", "scale": 300}, {"precision": "fp16", "scale": 300, "id": "layernorm-fp16-overflow"}],
    issues="NVIDIA/TensorRT#2564 NVIDIA/TensorRT#3101 pytorch/TensorRT#4061",
    structure="ReduceMean, Sub, Mul, ReduceMean, Sqrt, Div: squares of 300 overflow fp16",
    needs="GlobalAveragePool Reciprocal Sqrt",
)
def layernorm(x: T, precision: str, scale: int) -> T:
    return built(lambda: keras.layers.LayerNormalization(epsilon=1e-6), x)


@case("layernorm-fp16-x1", "Layer normalisation, fp16, values near 1", {"x": f32(2, 5, 64)}, precision="fp16",
      issues="NVIDIA/TensorRT#4493 NVIDIA/TensorRT#3897", needs="GlobalAveragePool Reciprocal Sqrt")  # fmt: skip
def layernorm_half(x: T) -> T:
    return built(lambda: keras.layers.LayerNormalization(), x)


@case(
    "layernorm-bf16",
    "Layer normalisation, bf16",
    {"x": f32(2, 5, 64)},
    precision="bf16",
    needs="GlobalAveragePool Reciprocal Sqrt",
)
def layernorm_bf16(x: T) -> T:
    return built(lambda: keras.layers.LayerNormalization(), x)


@case(
    "layernorm-two-axes", "Layer normalisation over two axes", {"x": f32(2, 5, 6)}, needs="ReduceMean Reciprocal Sqrt"
)
def layernorm_axes(x: T) -> T:
    return built(lambda: keras.layers.LayerNormalization(axis=[1, 2]), x)


@case(
    "rmsnorm-{precision}",
    "Root mean square normalisation, {precision}",
    {"x": f32(2, 4, 32)},
    precision="{precision}",
    points=grid(precision=("fp32", "fp16", "bf16")),
    needs="GlobalAveragePool Reciprocal Sqrt",
)
def rmsnorm(x: T, precision: str) -> T:
    return x * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-6) * weights(32)


@case(
    "groupnorm-g{groups}-{precision}",
    "Group normalisation, {groups} groups of {c} channels, {precision}",
    {"x": f32(1, 4, 4, "c")},
    precision="{precision}",
    tolerance=(3e-2, 3e-2),
    points=[
        {"groups": 32, "c": 320, "precision": "fp16"},
        {"groups": 4, "c": 12, "precision": "fp32"},
        {"groups": 1, "c": 6, "precision": "fp32"},
    ],
    issues="NVIDIA/TensorRT#3956 NVIDIA/TensorRT#4741",
    structure="Reshape, normalisation, Reshape, Mul, Add",
    needs="Reshape ReduceMean Sqrt",
)
def groupnorm(x: T, groups: int, c: int, precision: str) -> T:
    return built(lambda: keras.layers.GroupNormalization(groups), x)


@case("groupnorm-in-opset-21", "Group normalisation, opset 21", {"x": f32(1, 4, 4, 8)}, opset=21,
      issues="NVIDIA/TensorRT#4336", needs="Reshape ReduceMean Sqrt")  # fmt: skip
def groupnorm_21(x: T) -> T:
    return built(lambda: keras.layers.GroupNormalization(2), x)


@case("conv-moments-fp16", "fp16 instance normalisation after a convolution", {"x": f32(1, 16, 16, 3)},
      precision="fp16", tolerance=(3e-2, 3e-2), issues="NVIDIA-AI-IOT/torch2trt#776 microsoft/onnxruntime#10079",
      needs="Conv", structure="Conv, moments over height and width, Sub, Mul")  # fmt: skip
def instancenorm(x: T) -> T:
    y = tf.nn.conv2d(x, weights(3, 3, 3, 8), 1, "SAME")
    mean, variance = tf.nn.moments(y, [1, 2], keepdims=True)
    return (y - mean) * tf.math.rsqrt(variance + 1e-5) * weights(8)


@case(
    "l2normalize-fp16-inf",
    "fp16 l2_normalize of large values",
    {"x": f32(1, 9, 80, values=uniform(0, 1000))},
    precision="fp16",
    issues="NVIDIA/TensorRT#1954",
    structure="the sum of squares overflows fp16",
    needs="ReduceSum Sqrt",
)
def l2normalize(x: T) -> T:
    return tf.math.l2_normalize(x, -1)


@case(
    "l2normalize-zero",
    "l2_normalize of a zero vector",
    {"x": f32(2, 4, values=exactly(0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0))},
    needs="ReduceSum Sqrt",
)
def l2normalize_zero(x: T) -> T:
    return tf.math.l2_normalize(x, -1)


@case("lrn", "Local response normalisation", {"x": f32(1, 4, 4, 8)}, needs="LRN")
def lrn(x: T) -> T:
    return tf.nn.local_response_normalization(x, depth_radius=2, bias=1.5, alpha=0.5, beta=0.75)


@case(
    "roberta-tf-minmax-inf-fp16",
    "fp16 layer normalisation with Min of infinity, and a mask of -1e12",
    {"x": f32(2, 4, 16), "mask": f32(2, 1, 4, values=exactly(1.0, 1.0, 0.0, 1.0))},
    precision="fp16",
    issues="NVIDIA/TensorRT#2466",
    needs="Min Max",
    structure="Max, Min with a constant of infinity, Softmax of a mask",
    tolerance=(3e-2, 3e-2),
)
def roberta(x: T, mask: T) -> T:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    variance = tf.minimum(tf.maximum(variance, 1e-7), float("inf"))
    y = (x - mean) * tf.math.rsqrt(variance)
    return tf.nn.softmax(tf.matmul(y, y, transpose_b=True) - (1.0 - mask) * 1e12)


@case("nafnet-fp16-10", "fp16 NAFNet block: layer normalisation over channels, depth to space",
      {"x": f32(1, None, None, 8, profile=[(1, 4, 4, 8), (1, 8, 8, 8), (1, 16, 12, 8)])}, precision="fp16",
      tolerance=(3e-2, 3e-2), issues="NVIDIA/TensorRT#3897 NVIDIA/TensorRT#3896", needs="DepthToSpace",
      structure="moments, gate by splitting, DepthToSpace, dynamic height and width")  # fmt: skip
def nafnet(x: T) -> T:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    y = (x - mean) * tf.math.rsqrt(variance + 1e-6)
    a, b = tf.split(y, 2, -1)
    return tf.nn.depth_to_space(a * b, 2)
