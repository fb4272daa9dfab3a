"""Explicit quantisation: int8 written by the project's own lowering, and fake quantisation in the source."""

from __future__ import annotations

from trtbuild.suite import T, built, case, f32, grid, keras, tensor, tf, uniform, weights

IMAGE = {"x": f32(1, 8, 8, 8)}


@case(
    "int8-conv-k{k}-s{s}",
    "int8 convolution, kernel {k}, stride {s}",
    IMAGE,
    points=grid(k=(1, 3), s=(1, 2)),
    precision="int8",
    issues="NVIDIA/TensorRT#3577",
    needs="Conv",
)
def conv(x: T, k: int, s: int) -> T:
    return tf.nn.conv2d(x, weights(k, k, 8, 8, scale=0.1), s, "SAME")


@case(
    "int8-conv-groups-{groups}x{c}",
    "int8 convolution, {groups} groups of {c} channels in all",
    {"x": f32(1, 6, 6, "c")},
    precision="int8",
    points=[{"groups": 2, "c": 6, "id": "conv-group-int8-multiple-of-4"}, {"groups": 2, "c": 8}],
    needs="Conv",
    issues="oneflow-inc/oneflow#4116",
)
def conv_groups(x: T, groups: int, c: int) -> T:
    parts = [tf.nn.conv2d(p, weights(3, 3, c // groups, c // groups, scale=0.1, seed=i + 1), 1, "SAME")
             for i, p in enumerate(tf.split(x, groups, -1))]  # fmt: skip
    return tf.concat(parts, -1)


@case(
    "qdq-dwconv-swish-no-impl",
    "int8 depthwise convolution, batch normalisation and swish at the end",
    IMAGE,
    precision="int8",
    precision_keys={"quantize_depthwise": True, "rest": "float32"},
    issues="NVIDIA/TensorRT#3385",
    needs="Conv Sigmoid Mul",
    structure="Q, DQ, Conv by channel, Sigmoid, Mul",
)
def depthwise_swish(x: T) -> T:
    y = tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1, scale=0.2), [1, 1, 1, 1], "SAME")
    return tf.nn.silu(built(lambda: keras.layers.BatchNormalization(), y))


@case(
    "int8-conv-relu-pool",
    "int8 convolution, ReLU, max pooling",
    IMAGE,
    precision="int8",
    needs="Conv MaxPool",
    structure="Q, DQ, Conv, Relu, MaxPool",
)
def conv_pool(x: T) -> T:
    return tf.nn.max_pool2d(
        tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 8, 8, scale=0.1), 1, "SAME") + weights(8)), 2, 2, "VALID"
    )


@case(
    "qdq-resnet18-add-86",
    "int8 residual block",
    IMAGE,
    precision="int8",
    issues="NVIDIA/TensorRT#4079 NVIDIA/TensorRT#1992 NVIDIA/TensorRT#1144",
    needs="Conv Add",
    structure="two Conv with a shortcut, Add, Relu",
    tolerance=(0.3, 0.1),
)
def residual(x: T) -> T:
    y = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 8, 8, scale=0.1), 1, "SAME"))
    return tf.nn.relu(tf.nn.conv2d(y, weights(3, 3, 8, 8, scale=0.1, seed=2), 1, "SAME") + x)


TRANSPOSED = {"quantize_ops": ("ConvTranspose",), "rest": "float32"}  # the packaged int8 leaves it alone


@case(
    "qdq-convtranspose-{form}",
    "int8 transposed convolution, {form}",
    IMAGE,
    precision="int8",
    precision_keys=TRANSPOSED,
    tolerance=(0.3, 0.1),
    needs="ConvTranspose",
    points=[{"form": "alone", "id": "qdq-convtranspose-wrong"}, {"form": "relu", "id": "qdq-convtranspose-activation"}],
    issues="NVIDIA/TensorRT#1699 NVIDIA/TensorRT#4366",
    structure="Q, DQ, ConvTranspose, Relu, Concat",
)
def deconv(x: T, form: str) -> T:
    y = tf.nn.conv2d_transpose(x, weights(4, 4, 6, 8, scale=0.1), [1, 16, 16, 6], 2, "SAME")
    return y if form == "alone" else tf.concat([tf.nn.relu(y), y, tf.zeros([1, 16, 16, 1])], -1)


@case(
    "qdq-convtranspose3d-fp16",
    "int8 transposed convolution in 3-D",
    {"x": f32(1, 3, 3, 3, 4)},
    precision="int8",
    precision_keys=TRANSPOSED,
    needs="ConvTranspose",
    issues="NVIDIA/TensorRT#4668 NVIDIA/Model-Optimizer#688",
)
def deconv3d(x: T) -> T:
    return tf.nn.conv3d_transpose(x, weights(2, 2, 2, 4, 4, scale=0.2), [1, 6, 6, 6, 4], 2, "SAME")


@case(
    "int8-matmul-{form}",
    "int8 product, {form}",
    {"x": f32(4, 16), "y": f32(16, 8)},
    precision="int8",
    points=grid(form=("weights", "both-computed")),
    tolerance=(0.3, 0.1),
    needs=lambda form: "Gemm" if form == "weights" else "MatMul",
)
def matmul(x: T, y: T, form: str) -> T:
    return tf.matmul(x, weights(16, 8)) + tf.reduce_sum(y) if form == "weights" else tf.matmul(x, y)


@case("int8-dynamic-batch", "int8 convolution with a dynamic batch", needs="Conv", precision="int8",
      inputs={"x": f32(None, 8, 8, 4, profile=[(1, 8, 8, 4), (2, 8, 8, 4), (8, 8, 8, 4)])})  # fmt: skip
def dynamic(x: T) -> T:
    return tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 4, 8, scale=0.1), 2, "SAME"))


FAKE = {"x": f32(2, 8, values=uniform(-1, 1))}


@case(
    "fake-quant-{name}",
    "Fake quantisation, {name}",
    FAKE,
    needs="QuantizeLinear DequantizeLinear",
    tolerance=(5e-3, 0),
    points=[
        {"name": "symmetric", "low": -1.0, "high": 127 / 128, "narrow": False},
        {"name": "asymmetric", "low": -0.2, "high": 1.0, "narrow": False, "id": "qdq-zero-point"},
        {"name": "narrow", "low": -1.0, "high": 1.0, "narrow": True},
        {"name": "unsigned", "low": 0.0, "high": 1.0, "narrow": False, "id": "uint8-qdq-constants"},
    ],
    issues="onnx/onnx-tensorrt/operators.md NVIDIA/TensorRT/CHANGELOG@10.10",
)
def fake(x: T, name: str, low: float, high: float, narrow: bool) -> T:
    return tf.quantization.fake_quant_with_min_max_args(x, low, high, narrow_range=narrow)


@case("fake-quant-4-bits", "Fake quantisation to 4 bits", FAKE, tolerance=(5e-3, 0))
def fake_four(x: T) -> T:
    return tf.quantization.fake_quant_with_min_max_args(x, -1.0, 0.875, num_bits=4)


@case(
    "fake-quant-per-channel",
    "Fake quantisation by channel, one range of zero",
    FAKE,
    needs="QuantizeLinear DequantizeLinear",
    issues="onnx/onnx-tensorrt#764 NVIDIA/TensorRT#2267",
    tolerance=(5e-3, 0),
)
def fake_channels(x: T) -> T:
    low = tf.constant([-1.0, -0.5, -1.0, 0.0, -1.0, -1.0, -1.0, -1.0])
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(x, low, -low)


@case(
    "fake-quant-conv",
    "Convolution of quantisation aware training",
    IMAGE,
    needs="QuantizeLinear Conv",
    issues="NVIDIA/TensorRT#3577",
    points=[{"id": "qat-jetson-engine-fail"}],
    structure="Q, DQ on input and weights, Conv, Relu",
    tolerance=(2e-2, 1e-2),
)
def fake_conv(x: T) -> T:
    def quantise(t: T, top: float) -> T:
        return tf.quantization.fake_quant_with_min_max_args(t, -top, top * 127 / 128)

    return tf.nn.relu(tf.nn.conv2d(quantise(x, 4.0), quantise(weights(3, 3, 8, 8, scale=0.1), 0.5), 1, "SAME"))


@case(
    "quantize-and-dequantize-v2",
    "quantize_and_dequantize",
    FAKE,
    tolerance=(1e-2, 0),
    needs="QuantizeLinear DequantizeLinear",
)
def quantise_v2(x: T) -> T:
    return tf.quantization.quantize_and_dequantize_v2(x, -1.0, 1.0, range_given=True)


@case("quantize-op", "tf.quantization.quantize, and back", FAKE, issues="onnx/onnx-tensorrt/operators.md",
      tolerance=(1e-2, 0))  # fmt: skip
def quantise_op(x: T) -> T:
    return tf.quantization.dequantize(tf.quantization.quantize(x, -1.0, 1.0, tf.qint8).output, -1.0, 1.0)


@case("uint8-dequantise-by-hand", "uint8 input scaled and shifted by hand", {"x": tensor("uint8", 2, 8)}, needs="Cast")
def by_hand(x: T) -> T:
    return (tf.cast(x, tf.float32) - 128.0) * 0.02
