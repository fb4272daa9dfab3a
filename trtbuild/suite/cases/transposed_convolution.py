"""Transposed convolutions: where padding, stride, output shape and dilation meet three conventions."""

from __future__ import annotations

from trtbuild.suite import T, built, case, f32, grid, keras, tf, weights


@case(
    "deconv-same-k{k}-s{s}", "SAME transposed convolution, kernel {k}, stride {s}", {"x": f32(1, 5, 6, 3)},
    points=[*grid(k=(2, 3, 4, 5), s=(2, 3)), {"k": 3, "s": 1}], needs="ConvTranspose",
    issues="onnx/tensorflow-onnx#765 NVIDIA/TensorRT#2910",
)  # fmt: skip
def deconv_same(x: T, k: int, s: int) -> T:
    return tf.nn.conv2d_transpose(x, weights(k, k, 4, 3), [1, 5 * s, 6 * s, 4], s, "SAME")


@case(
    "deconv-tf-output-shape-auto-pad",
    "SAME transposed convolution, 40 to 80 by kernel 4",
    {"x": f32(1, 40, 40, 2)},
    issues="onnx/tensorflow-onnx#765",
    needs="ConvTranspose",
    structure="a shift by one pixel shows in values only",
)
def deconv_40(x: T) -> T:
    return tf.nn.conv2d_transpose(x, weights(4, 4, 2, 2), [1, 80, 80, 2], 2, "SAME")


@case("deconv-odd-output-k{k}", "SAME transposed convolution to an odd size, kernel {k}", {"x": f32(1, 4, 4, 3)},
      points=grid(k=(3, 4)), issues="NVIDIA-AI-IOT/torch2trt#734", needs="ConvTranspose",
      structure="output size 7 of 4 at stride 2: one row of 8 is not there")  # fmt: skip
def deconv_odd(x: T, k: int) -> T:
    return tf.nn.conv2d_transpose(x, weights(k, k, 4, 3), [1, 7, 7, 4], 2, "SAME")


@case("deconv-valid-k{k}-s{s}", "VALID transposed convolution, kernel {k}, stride {s}", {"x": f32(1, 5, 5, 3)},
      points=[{"k": 3, "s": 2}, {"k": 2, "s": 2}, {"k": 2, "s": 3}], needs="ConvTranspose",
      structure="a kernel smaller than the stride leaves holes of zeros")  # fmt: skip
def deconv_valid(x: T, k: int, s: int) -> T:
    size = 4 * s + max(k, s)
    return tf.nn.conv2d_transpose(x, weights(k, k, 4, 3), [1, size, size, 4], s, "VALID")


@case(
    "deconv-output-padding-{padding}", "Transposed convolution with output_padding 1, {padding}",
    {"x": f32(1, 8, 8, 4)}, needs="ConvTranspose", issues="pytorch/TensorRT#3344 NVIDIA-AI-IOT/torch2trt#140",
    points=[{"padding": "same", "id": "deconv-output-padding-dropped"}, {"padding": "valid"}],
)  # fmt: skip
def deconv_output_padding(x: T, padding: str) -> T:
    return built(lambda: keras.layers.Conv2DTranspose(4, 3, 2, padding=padding, output_padding=1), x)


@case("deconv-1d-output-padding", "One-dimensional transposed convolution to an even size", {"x": f32(1, 6, 4)},
      issues="onnx/onnx-tensorrt/Changelog@8.5", needs="ConvTranspose")  # fmt: skip
def deconv_1d(x: T) -> T:
    return tf.nn.conv1d_transpose(x, weights(3, 5, 4), [1, 12, 5], 2, "SAME")


@case("deconv-dilation-{rate}", "Dilated transposed convolution, rate {rate}", {"x": f32(1, 6, 6, 3)},
      points=[{"rate": 2, "id": "deconv-dilation-unsupported"}, {"rate": 3}], needs="ConvTranspose",
      issues="onnx/onnx-tensorrt/onnx_backend_test.py")  # fmt: skip
def deconv_dilated(x: T, rate: int) -> T:
    return built(lambda: keras.layers.Conv2DTranspose(4, 3, dilation_rate=rate), x)


@case("deconv-atrous", "atrous_conv2d_transpose", {"x": f32(1, 8, 8, 3)},
      issues="onnx/onnx-tensorrt/onnx_backend_test.py", needs="ConvTranspose SpaceToDepth")  # fmt: skip
def deconv_atrous(x: T) -> T:
    return tf.nn.atrous_conv2d_transpose(x, weights(3, 3, 4, 3), [1, 8, 8, 4], 2, "SAME")


@case("deconv3d-{padding}-k{k}", "{padding} transposed convolution in 3-D, kernel {k}", {"x": f32(1, 3, 3, 3, 2)},
      points=[{"padding": "SAME", "k": 3, "id": "deconv-3d-asymmetric-pad"},
              {"padding": "SAME", "k": 2, "id": "deconv3d-absolute-tolerance"}],
      issues="apache/mxnet#20280", needs="ConvTranspose")  # fmt: skip
def deconv3d(x: T, padding: str, k: int) -> T:
    return tf.nn.conv3d_transpose(x, weights(k, k, k, 3, 2), [1, 6, 6, 6, 3], 2, padding)


@case(
    "deconv-dynamic-shape-no-impl", "Transposed convolution with dynamic height and width, then a crop",
    {"x": f32(1, None, None, 3, profile=[(1, 4, 4, 3), (1, 8, 6, 3), (1, 16, 16, 3)])},
    issues="NVIDIA/TensorRT#632 NVIDIA/TensorRT#209", needs="ConvTranspose", structure="ConvTranspose, Slice",
)  # fmt: skip
def deconv_dynamic(x: T) -> T:
    y = built(lambda: keras.layers.Conv2DTranspose(4, 4, 2, padding="same"), x)
    return y[:, 1:, 1:, :]


@case("deconv-dynamic-batch", "Transposed convolution with a dynamic batch",
      {"x": f32(None, 5, 5, 3, profile=[(1, 5, 5, 3), (2, 5, 5, 3), (8, 5, 5, 3)])}, needs="ConvTranspose")  # fmt: skip
def deconv_batch(x: T) -> T:
    return built(lambda: keras.layers.Conv2DTranspose(4, 3, 2, padding="same"), x)


@case("deconv-no-impl-half-{precision}", "{precision} convolution, then transposed convolution", {"x": f32(1, 8, 8, 3)},
      points=[{"precision": "fp16", "id": "deconv-no-impl-half"}, {"precision": "fp32"}], precision="{precision}",
      tolerance=(0.05, 0.02), issues="NVIDIA/TensorRT#1893 NVIDIA/TensorRT#2133", needs="Conv ConvTranspose",
      structure="Conv, ConvTranspose")  # fmt: skip
def conv_deconv(x: T, precision: str) -> T:
    y = tf.nn.conv2d(x, weights(3, 3, 3, 5), 2, "SAME")
    return tf.nn.conv2d_transpose(y, weights(5, 5, 4, 5, scale=0.2), [1, 8, 8, 4], 2, "SAME")


@case("deconv-add-fusion-slow", "Transposed convolution and an elementwise addition",
      {"x": f32(1, 5, 5, 3), "skip": f32(1, 10, 10, 4)}, issues="NVIDIA/TensorRT#3098", needs="ConvTranspose Add",
      structure="ConvTranspose, bias, Add of a skip connection")  # fmt: skip
def deconv_add(x: T, skip: T) -> T:
    y = tf.nn.conv2d_transpose(x, weights(2, 2, 4, 3), [1, 10, 10, 4], 2, "SAME")
    return tf.nn.bias_add(y, weights(4)) + skip


@case("bf16-convtranspose-typing", "bf16 transposed convolution", {"x": f32(1, 5, 5, 3)}, precision="bf16",
      issues="NVIDIA/TensorRT-Incubator#565", needs="ConvTranspose")  # fmt: skip
def deconv_bf16(x: T) -> T:
    return tf.nn.conv2d_transpose(x, weights(3, 3, 4, 3), [1, 10, 10, 4], 2, "SAME")


@case("vae-1016-segv-sm120", "Audio decoder: one-dimensional convolution and its transposition",
      {"x": f32(1, 8, 4)}, issues="daydreamlive/DEMON#17", needs="Conv ConvTranspose",
      structure="Conv, LeakyRelu, ConvTranspose, Tanh")  # fmt: skip
def deconv_vae(x: T) -> T:
    y = tf.nn.leaky_relu(tf.nn.conv1d(x, weights(3, 4, 6), 1, "SAME"))
    return tf.nn.tanh(tf.nn.conv1d_transpose(y, weights(4, 3, 6), [1, 16, 3], 2, "SAME"))
