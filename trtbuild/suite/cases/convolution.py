"""Convolutions: kernel, stride, padding, dilation, groups, rank, and where their weights come from."""

from __future__ import annotations

from trtbuild.suite import T, built, case, exactly, f32, grid, keras, tensor, tf, uniform, weights

IMAGE = {"x": f32(1, "n", "n", 3)}


@case(
    "conv-same-k{k}-s{s}-n{n}", "SAME convolution, kernel {k}, stride {s}, size {n}", IMAGE,
    points=[*grid(k=(2, 3, 4), s=(1, 2, 3), n=(7, 8)), {"k": 1, "s": 2, "n": 7}, {"k": 5, "s": 2, "n": 7},
            {"k": 5, "s": 1, "n": 3}],
    issues="tensorflow/tensorflow#27988 onnx/tensorflow-onnx#4", needs="Conv",
    structure="SAME padding is asymmetric for an odd sum, and reaches past a small image",
)  # fmt: skip
def conv_same(x: T, k: int, s: int, n: int) -> T:
    return tf.nn.conv2d(x, weights(k, k, 3, 4), s, "SAME")


@case(
    "conv-valid-k{k}-s{s}-n{n}", "VALID convolution whose last rows are unused", IMAGE,
    points=[{"k": 3, "s": 2, "n": 8}, {"k": 2, "s": 3, "n": 7}], needs="Conv",
)  # fmt: skip
def conv_valid(x: T, k: int, s: int, n: int) -> T:
    return tf.nn.conv2d(x, weights(k, k, 3, 4), s, "VALID")


@case(
    "conv-patch-k{k}", "Convolution with kernel = stride = {k}", {"x": f32(1, "n", "n", 3, values=uniform(0, 1))},
    points=[{"k": 14, "n": 56, "id": "conv-k14-s14-patch-embed"}, {"k": 16, "n": 64}, {"k": 7, "n": 58}],
    issues="NVIDIA/TensorRT#4678", needs="Conv", structure="patch embedding; size 58 leaves rows over",
)  # fmt: skip
def conv_patch(x: T, k: int, n: int) -> T:
    return tf.nn.conv2d(x, weights(k, k, 3, 8, scale=0.05), k, "VALID")


@case("conv-explicit-pads", "Convolution with four different explicit pads", {"x": f32(1, 8, 8, 3)}, needs="Conv")
def conv_explicit(x: T) -> T:
    return tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, [[0, 0], [0, 3], [1, 2], [0, 0]])


@case("conv-strides-{a}x{b}", "Convolution with strides {a} and {b}", {"x": f32(1, 9, 8, 3)},
      points=[{"a": 1, "b": 2}, {"a": 3, "b": 1}], needs="Conv")  # fmt: skip
def conv_strides(x: T, a: int, b: int) -> T:
    return tf.nn.conv2d(x, weights(3, 2, 3, 4), [1, a, b, 1], "SAME")


@case(
    "conv-dilated-{padding}-k{k}-d{d}", "{padding} convolution, kernel {k}, dilation {d}", {"x": f32(1, 9, 9, 3)},
    points=[*grid(padding=("SAME",), k=(2, 3), d=(2, 3)), {"padding": "VALID", "k": 3, "d": 2}],
    issues="onnx/tensorflow-onnx#1728 onnx/tensorflow-onnx#18", needs="Conv",
)  # fmt: skip
def conv_dilated(x: T, padding: str, k: int, d: int) -> T:
    return tf.nn.conv2d(x, weights(k, k, 3, 4), 1, padding, dilations=d)


@case(
    "spacetobatch-blocksize",
    "Dilations of 3 and 2, as space to batch",
    {"x": f32(1, 12, 8, 3)},
    issues="onnx/tensorflow-onnx#790 onnx/onnx-tensorrt#436",
    structure="SpaceToBatch, Conv, BatchToSpace",
    needs="Conv Pad Reshape",
)
def conv_block(x: T) -> T:
    y = tf.space_to_batch(x, [3, 2], [[0, 0], [0, 0]])
    y = tf.nn.conv2d(y, weights(2, 2, 3, 4), 1, "SAME")
    return tf.batch_to_space(y, [3, 2], [[0, 0], [0, 0]])


@case("atrous-conv2d", "atrous_conv2d, rate 2, odd size", {"x": f32(1, 7, 7, 3)}, needs="Conv",
      issues="onnx/tensorflow-onnx#18")  # fmt: skip
def conv_atrous(x: T) -> T:
    return tf.nn.atrous_conv2d(x, weights(3, 3, 3, 4), 2, "SAME")


@case(
    "conv-depthwise-m{m}-s{s}-d{d}", "Depthwise convolution, multiplier {m}, stride {s}, dilation {d}",
    {"x": f32(1, 8, 8, 6)}, points=[*grid(m=(1, 2), s=(1, 2), d=(1,)), {"m": 1, "s": 1, "d": 2}], needs="Conv",
)  # fmt: skip
def conv_depthwise(x: T, m: int, s: int, d: int) -> T:
    return tf.nn.depthwise_conv2d(x, weights(3, 3, 6, m), [1, s, s, 1], "SAME", dilations=[d, d])


@case("conv-separable", "Separable convolution: depthwise, then 1x1", {"x": f32(1, 8, 8, 4)}, needs="Conv",
      structure="two convolutions in a row")  # fmt: skip
def conv_separable(x: T) -> T:
    return tf.nn.separable_conv2d(x, weights(3, 3, 4, 2), weights(1, 1, 8, 5), [1, 2, 2, 1], "SAME")


@case(
    "conv-groups-{groups}", "Grouped convolution, {groups} groups, {c} to {filters} channels",
    {"x": f32(1, 8, 8, "c")}, needs="Conv", issues="NVIDIA/TensorRT#3273",
    points=[{"id": "conv-group-weights-count", "groups": 2, "c": 128, "filters": 256},
            {"groups": 3, "c": 6, "filters": 9}],
    tolerance=(1e-3, 1e-3),
)  # fmt: skip
def conv_groups(x: T, groups: int, c: int, filters: int) -> T:
    return built(lambda: keras.layers.Conv2D(filters, 3, groups=groups, padding="same"), x)


@case("conv1d-{padding}-s{s}", "One-dimensional convolution, {padding}, stride {s}", {"x": f32(1, 9, 4)},
      points=[{"padding": "SAME", "s": 2, "id": "conv1d-tf-expanddims"}, {"padding": "VALID", "s": 1}],
      issues="NVIDIA/TensorRT#464", needs="Conv", structure="Unsqueeze, Conv, Squeeze")  # fmt: skip
def conv1d(x: T, padding: str, s: int) -> T:
    return tf.nn.conv1d(x, weights(4, 4, 6), s, padding)


@case("conv1d-causal-dilated", "Causal dilated convolution over time", {"x": f32(1, 12, 4)}, needs="Conv",
      structure="Pad on the left, Conv")  # fmt: skip
def conv1d_causal(x: T) -> T:
    return built(lambda: keras.layers.Conv1D(5, 3, padding="causal", dilation_rate=2), x)


@case("conv3d-k{k}-s{s}-n{n}", "SAME convolution in 3-D, kernel {k}, stride {s}, size {n}",
      {"x": f32(1, "n", "n", "n", 2)}, points=[{"k": 3, "s": 2, "n": 6}, {"k": 2, "s": 1, "n": 5}],
      issues="NVIDIA/TensorRT#3269", needs="Conv")  # fmt: skip
def conv3d(x: T, k: int, s: int, n: int) -> T:
    return tf.nn.conv3d(x, weights(k, k, k, 2, 3), [1, s, s, s, 1], "SAME")


@case("multi-input-conv-kernel-shape", "Convolution with computed weights",
      {"x": f32(1, 8, 8, 3), "gain": f32(1, 1, 1, 4)}, issues="NVIDIA/TensorRT/CHANGELOG@10.4", needs="Conv",
      structure="Mul of weights, Transpose, Conv")  # fmt: skip
def conv_computed(x: T, gain: T) -> T:
    return tf.nn.conv2d(x, weights(3, 3, 3, 4) * gain, 1, "SAME")


@case("conv-weights-input", "Convolution whose weights are a graph input",
      {"x": f32(1, 8, 8, 3), "w": f32(3, 3, 3, 4)}, needs="Conv")  # fmt: skip
def conv_input(x: T, w: T) -> T:
    return tf.nn.conv2d(x, w, 2, "SAME")


@case("conv-nchw-transposed", "Convolution between the transposes of a channels-first model", {"x": f32(1, 3, 8, 8)},
      issues="onnx/tensorflow-onnx#977 onnx/tensorflow-onnx#1979", needs="Conv",
      structure="Transpose, Conv, bias, Transpose, Reshape")  # fmt: skip
def conv_nchw(x: T) -> T:
    y = tf.nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), weights(3, 3, 3, 4), 1, "SAME") + weights(4)
    return tf.reshape(tf.transpose(y, [0, 3, 1, 2]), [1, 4, 64])


@case(
    "conv-{precision}-k{k}-s{s}", "{precision} convolution, kernel {k}, stride {s}, 9x9x64",
    {"x": f32(1, 9, 9, 64)}, precision="{precision}", needs="Conv", issues="NVIDIA/TensorRT#1761",
    points=[{"precision": "fp16", "k": 3, "s": 2, "id": "conv-stride2-fp16-mismatch"},
            *grid(precision=("fp16",), k=(1, 7), s=(1, 2, 3)), *grid(precision=("fp16",), k=(3,), s=(1, 3)),
            {"precision": "bf16", "k": 3, "s": 2}],
    tolerance=(0.1, 0.05),
)  # fmt: skip
def conv_low(x: T, precision: str, k: int, s: int) -> T:
    return tf.nn.conv2d(x, weights(k, k, 64, 16, scale=0.5 / k), s, "SAME")


@case("conv3d-fp16-groups", "fp16 convolution in 3-D with groups", {"x": f32(1, 4, 6, 6, 8)},
      issues="NVIDIA/TensorRT#1408", precision="fp16", needs="Conv", tolerance=(0.05, 0.02))  # fmt: skip
def conv3d_fp16(x: T) -> T:
    return built(lambda: keras.layers.Conv3D(8, 3, groups=4, padding="same"), x)


@case(
    "weights-not-clipped-blackwell",
    "fp16 convolution with weights beyond fp16",
    {"x": f32(1, 4, 4, 3)},
    issues="NVIDIA/TensorRT/limitations@10.x",
    precision="fp16",
    needs="Conv",
    structure="weights of 1e6 are clamped to 65504, not made infinite; the difference to float32 is expected",
)
def conv_large(x: T) -> T:
    return tf.nn.conv2d(x * 1e-6, weights(1, 1, 3, 4) * 1e6, 1, "SAME")


@case("conv-nan-and-inf", "Convolution keeps NaN and infinity where the window reaches",
      {"x": f32(1, 6, 6, 1, values=exactly(1.0, 2.0, float("nan"), 3.0, 4.0, 5.0, 6.0, 7.0, float("inf"), 9.0, 1.0))},
      needs="Conv")  # fmt: skip
def conv_nan(x: T) -> T:
    return tf.nn.conv2d(x, weights(2, 2, 1, 2), 1, "VALID")


@case("conv-uint8-image", "uint8 image, cast and scaled, then convolved", {"x": tensor("uint8", 1, 8, 8, 3)},
      issues="onnx/onnx-tensorrt#400 NVIDIA/TensorRT#592", needs="Cast Conv",
      structure="Cast of an input, Mul, Conv")  # fmt: skip
def conv_uint8(x: T) -> T:
    return tf.nn.conv2d(tf.cast(x, tf.float32) / 255.0, weights(3, 3, 3, 4), 2, "SAME")
