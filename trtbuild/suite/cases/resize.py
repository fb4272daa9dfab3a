"""Resizing: modes, coordinate conventions, sizes that are no multiples, antialiasing, crops."""

from __future__ import annotations

from trtbuild.suite import T, built, case, exactly, f32, grid, i32, keras, tf

IMAGE = {"x": f32(1, 6, 5, 3)}


# TensorFlow takes its bicubic kernel from a table of 1024 entries: 1e-3 of a value is its own error.
@case(
    "resize-{method}-{h}x{w}", "tf.image.resize by {method}, 6x5 to {h}x{w}", IMAGE,
    points=grid(method=("bilinear", "bicubic"), h=(12, 4, 3), w=(10, 7)), needs="Resize",
    issues="NVIDIA/TensorRT#273 NVIDIA/TensorRT#974 onnx/onnx-tensorrt/onnxOpCheckers.cpp", tolerance=(5e-3, 5e-3),
    structure="half-pixel centres; up, down and by fractions",
)  # fmt: skip
def resize(x: T, method: str, h: int, w: int) -> T:
    return tf.image.resize(x, [h, w], method)


@case(
    "resize-nearest-{h}x{w}",
    "tf.image.resize by nearest neighbour, 6x5 to {h}x{w}",
    IMAGE,
    points=[
        {"h": 12, "w": 10, "id": "resize-nearest-tf-half-pixel-nn"},
        {"h": 9, "w": 8},
        {"h": 3, "w": 2},
        {"h": 18, "w": 15, "id": "resize-nearest-mismatch-71"},
    ],
    issues="onnx/tensorflow-onnx#2248 onnx/tensorflow-onnx#2249 NVIDIA/TensorRT#743",
    needs="Resize",
)
def resize_nearest(x: T, h: int, w: int) -> T:
    return tf.image.resize(x, [h, w], "nearest")


@case(
    "upsampling2d-{kind}",
    "Keras UpSampling2D by 2, {kind}",
    {"x": f32(1, 8, 8, 3)},
    points=[{"kind": "bilinear", "id": "resize-70-upsampling-regression"}, {"kind": "nearest"}, {"kind": "bicubic"}],
    issues="NVIDIA/TensorRT#974 onnx/tensorflow-onnx#1385 onnx/onnx#2882",
    tolerance=(1e-3, 1e-3),
    needs=lambda kind: "Tile" if kind == "nearest" else "Resize",
)
def upsampling(x: T, kind: str) -> T:
    return keras.layers.UpSampling2D(2, interpolation=kind)(x)


@case("upsampling-{rank}d", "Keras UpSampling{rank}D", {"x": f32("b", "n", "n", "n", 2)},
      points=[{"rank": 3, "b": 1, "n": 3}], needs="Tile")  # fmt: skip
def upsampling_3d(x: T, rank: int, b: int, n: int) -> T:
    return keras.layers.UpSampling3D(2)(x)


@case(
    "resize-legacy-{mode}-{corners}", "TensorFlow 1 resize, {mode}, {corners}", {"x": f32(1, 5, 5, 2)},
    points=[{"mode": "Bilinear", "corners": "align_corners", "id": "resize-linear-align-corners-72"},
            {"mode": "Bilinear", "corners": "asymmetric", "id": "resize-opset11-tf-bilinear-71"},
            {"mode": "NearestNeighbor", "corners": "align_corners"},
            {"mode": "NearestNeighbor", "corners": "asymmetric", "id": "resize-nearest-default-mismatch"},
            {"mode": "Bicubic", "corners": "align_corners"},
            {"mode": "Bicubic", "corners": "asymmetric", "id": "resize-cubic-limited-modes"}],
    issues="onnx/onnx-tensorrt#732 onnx/onnx-tensorrt#793 NVIDIA/TensorRT#596 onnx/tensorflow-onnx#2168",
    needs="Resize", tolerance=(1e-3, 1e-3),
)  # fmt: skip
def resize_legacy(x: T, mode: str, corners: str) -> T:
    resize_op = getattr(tf.raw_ops, f"Resize{mode}")
    return resize_op(images=x, size=[13, 8], align_corners=corners == "align_corners", half_pixel_centers=False)


@case("resize-align-corners-from-1", "Aligned corners from a single pixel", {"x": f32(1, 1, 4, 2)}, needs="Resize",
      structure="the scale is a division by zero")  # fmt: skip
def resize_from_one(x: T) -> T:
    return tf.raw_ops.ResizeBilinear(images=x, size=[3, 8], align_corners=True, half_pixel_centers=False)


@case("resize-to-1", "Bilinear resize to one pixel", IMAGE, needs="Resize")
def resize_to_one(x: T) -> T:
    return tf.image.resize(x, [1, 1])


@case("resize-area", "tf.image.resize by area, 32 to 16", {"x": f32(1, 32, 32, 2)},
      structure="exported as another resize, silently wrong", needs="Resize")  # fmt: skip
def resize_area(x: T) -> T:
    return tf.image.resize(x, [16, 16], "area")


@case(
    "resize-antialias-{method}", "tf.image.resize by {method} with antialiasing", {"x": f32(1, 8, 8, 3)},
    points=[{"method": "bilinear", "id": "resize-antialias-ignored"}, {"method": "bicubic"}, {"method": "lanczos3"}],
    issues="NVIDIA/TensorRT#3560",
)  # fmt: skip
def resize_antialias(x: T, method: str) -> T:
    return tf.image.resize(x, [4, 4], method, antialias=True)


@case("resize-opset18-{method}", "tf.image.resize by {method} in opset 18", IMAGE, opset=18, needs="Resize",
      points=grid(method=("bilinear", "nearest")), issues="NVIDIA/TensorRT#3560")  # fmt: skip
def resize_18(x: T, method: str) -> T:
    return tf.image.resize(x, [9, 11], method)


@case(
    "resize-to-shape-of-{method}", "Resize to the size of another tensor, {method}",
    {"x": f32(1, None, None, 3, profile=[(1, 4, 4, 3), (1, 6, 8, 3), (1, 8, 8, 3)]),
     "like": f32(1, None, None, 1, profile=[(1, 8, 8, 1), (1, 9, 12, 1), (1, 16, 16, 1)])},
    points=[{"method": "bilinear", "id": "resize-scales-initializer"},
            {"method": "nearest", "id": "resize-opset10-scales-dynamic"}],
    issues="onnx/onnx-tensorrt#483 NVIDIA/TensorRT#644", needs="Resize", tolerance=(1e-3, 1e-3),
    structure="Shape, Slice, Concat, Resize",
)  # fmt: skip
def resize_like(x: T, like: T, method: str) -> T:
    return tf.image.resize(x, tf.shape(like)[1:3], method)


@case("resize-dynamic-double", "Resize to twice the run-time size",
      {"x": f32(None, None, 6, 2, profile=[(1, 4, 6, 2), (2, 5, 6, 2), (4, 16, 6, 2)])}, needs="Resize",
      tolerance=(1e-3, 1e-3), structure="shape arithmetic feeds Resize")  # fmt: skip
def resize_double(x: T) -> T:
    return tf.image.resize(x, tf.shape(x)[1:3] * 2)


@case("resize-with-pad", "tf.image.resize_with_pad", {"x": f32(1, 6, 9, 3)},
      issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp", tolerance=(1e-3, 1e-3), needs="Resize Pad")  # fmt: skip
def resize_pad(x: T) -> T:
    return tf.image.resize_with_pad(x, 8, 8)


@case(
    "crop-and-resize-{method}",
    "tf.image.crop_and_resize, {method}",
    {
        "x": f32(1, 6, 6, 2),
        "boxes": f32(2, 4, values=exactly(0.2, 0.2, 0.6, 0.6, 0.6, 0.6, 0.8, 0.8)),
        "index": i32(2, values=exactly(0)),
    },
    points=[
        {"method": "bilinear", "id": "crop-and-resize-roialign"},
        {"method": "nearest"},
    ],
    issues="onnx/onnx#2100 onnx/onnx#3428 NVIDIA/TensorRT/release@11.0",
    structure="Loop whose body has Resize",
    needs="Loop",
)
def crop_and_resize(x: T, boxes: T, index: T, method: str) -> T:
    return tf.image.crop_and_resize(x, boxes, index, [4, 4], method)


@case(
    "resize-tactic-accuracy-{precision}",
    "{precision} bilinear resize between convolution-like layers",
    {"x": f32(1, 7, 7, 8)},
    points=[{"precision": "fp16", "id": "resize-tactic-accuracy-72"}, {"precision": "bf16"}],
    precision="{precision}",
    issues="NVIDIA/TensorRT#1194",
    needs="Resize",
    structure="Relu, Resize, Concat",
)
def resize_low(x: T, precision: str) -> T:
    y = tf.nn.relu(x)
    return tf.concat([tf.image.resize(y, [14, 14]), tf.tile(y, [1, 2, 2, 1])], -1)


@case(
    "resize-asymmetric-only-70",
    "Decoder block: upsampling, concatenation, convolution",
    {"x": f32(1, 4, 4, 4), "skip": f32(1, 8, 8, 2)},
    issues="onnx/onnx#2882 NVIDIA/TensorRT#386",
    needs="Resize Concat Conv",
    structure="Resize, Concat of a skip connection, Conv",
    tolerance=(1e-3, 1e-3),
)
def resize_decoder(x: T, skip: T) -> T:
    y = tf.concat([tf.image.resize(x, [8, 8]), skip], -1)
    return built(lambda: keras.layers.Conv2D(4, 3, padding="same", activation="relu"), y)
