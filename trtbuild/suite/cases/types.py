"""Types: casts and their edges, wide and narrow integers, double, half, bool, text, complex."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, i32, tensor, tf, weights

EDGES = f32(6, values=exactly(-1.7, 1.7, 0.0, -0.4, 127.6, 3.5))


@case("cast-float32-{to}", "Cast from float32 to {to}", {"x": EDGES}, needs="Cast",
      points=grid(to=("int32", "int64", "int8", "bool", "float16", "bfloat16", "float64")))  # fmt: skip
def cast_float(x: T, to: str) -> T:
    return tf.cast(x, to)


@case(
    "cast-{source}-float32",
    "Cast from {source} to float32",
    {"x": tensor("{source}", 4, values=exactly(0, 1, 2, 100))},
    points=grid(source=("uint8", "int8", "int16", "uint16", "uint32", "int64", "bool", "float64", "float16")),
    needs="Cast",
)
def cast_to_float(x: T, source: str) -> T:
    return tf.cast(x, tf.float32) * 0.5


@case(
    "cast-int64-int32-wraps",
    "Cast of 64-bit integers past 2^31",
    {"x": tensor("int64", 3, values=exactly(2**31 + 5, -(2**40), 7))},
    needs="Cast",
)
def cast_wrap(x: T) -> T:
    return tf.cast(x, tf.int32)


@case(
    "cast-fp16-overflow",
    "Cast of 1e5 to half and back",
    {"x": f32(3, values=exactly(1e5, 65504.0, 1e-8))},
    needs="Cast",
)
def cast_overflow(x: T) -> T:
    return tf.cast(tf.cast(x, tf.float16), tf.float32)


@case("uint8-input-unsupported", "uint8 image, cast and shifted", {"x": tensor("uint8", 1, 4, 4, 3)}, needs="Cast",
      issues="onnx/onnx-tensorrt#400 NVIDIA/TensorRT#592", structure="Cast of an input, Sub")  # fmt: skip
def uint8_image(x: T) -> T:
    return tf.cast(x, tf.float32) - 127.5


@case(
    "uint8-slice",
    "Slice of a uint8 image",
    {"x": tensor("uint8", 1, 4, 4, 3)},
    needs="Slice",
    issues="onnx/onnx-tensorrt#400",
)
def uint8_slice(x: T) -> T:
    return x[:, 1:3]


@case("uint8-resize", "Nearest resize of a uint8 image", {"x": tensor("uint8", 1, 4, 4, 3)}, needs="Resize")
def uint8_resize(x: T) -> T:
    return tf.cast(tf.image.resize(x, [8, 8], "nearest"), tf.float32)


@case(
    "int8-arithmetic",
    "Addition of int8, wrapping",
    {"x": tensor("int8", 4, values=exactly(100, -100, 3, 127)), "y": tensor("int8", 4, values=exactly(100))},
    needs="Add",
)
def int8_add(x: T, y: T) -> T:
    return x + y


@case("int16-gather", "Gather of int16 values", {"x": tensor("int16", 4)}, needs="Gather")
def int16_gather(x: T) -> T:
    return tf.gather(x, [2, 0])


@case("int64-clamped", "Addition of a 64-bit constant past 2^31", {"x": tensor("int64", 3)},
      issues="microsoft/onnxruntime#3821 onnx/onnx-tensorrt#919", needs="Add")  # fmt: skip
def int64_constant(x: T) -> T:
    return x + tf.constant([2**40, -(2**40), 5], tf.int64)


@case(
    "int64-binding-break",
    "64-bit integers in and out",
    {"x": tensor("int64", 4, values=exactly(2**33, -1, 0, 7))},
    needs="Mul",
    issues="onnx/onnx-tensorrt/Changelog@9.0",
)
def int64_binding(x: T) -> T:
    return x * 3


@case(
    "double-downcast",
    "Double precision: 1e-12 beside 1",
    needs="Add Sub",
    inputs={
        "x": tensor("float64", 3, values=exactly(1.0, 2.0, 3.0)),
        "y": tensor("float64", 3, values=exactly(1.0, 2.0, 3.0)),
    },
    issues="onnx/onnx-tensorrt#674",
    tolerance=(1e-15, 1e-12),
)
def double(x: T, y: T) -> T:
    return (x + tf.constant(1e-12, tf.float64)) - y


@case("double-inside", "Double precision between casts", {"x": f32(4)}, issues="onnx/onnx-tensorrt#674", needs="Cast",
      structure="Cast to double, Mul, ReduceSum, Cast back")  # fmt: skip
def double_inside(x: T) -> T:
    return tf.cast(tf.reduce_sum(tf.cast(x, tf.float64) * 1e-3), tf.float32)


@case(
    "half-binding",
    "Half precision in and out",
    {"x": tensor("float16", 3, 4)},
    tolerance=(1e-2, 1e-2),
    needs="Relu Add",
)
def half(x: T) -> T:
    return tf.nn.relu(x) + tf.cast(0.5, tf.float16)


@case(
    "bfloat16-inside", "bfloat16 product between casts", {"x": f32(3, 4)}, tolerance=(8e-2, 8e-2), needs="Cast MatMul"
)
def bfloat16(x: T) -> T:
    return tf.cast(tf.matmul(tf.cast(x, tf.bfloat16), tf.cast(weights(4, 2), tf.bfloat16)), tf.float32)


@case(
    "bool-concat",
    "Concatenation of booleans",
    {"x": tensor("bool", 2, 3), "y": tensor("bool", 1, 3)},
    issues="onnx/onnx-tensorrt#620",
    needs="Concat",
)
def bool_concat(x: T, y: T) -> T:
    return tf.concat([x, y], 0)


@case("bool-constant", "Selection by a constant of booleans", {"x": f32(3), "flag": tensor("bool", 3)},
      issues="NVIDIA/TensorRT#4224", needs="And")  # fmt: skip
def bool_constant(x: T, flag: T) -> T:
    return tf.where(tf.logical_and(tf.constant([True, False, True]), flag), x, -x)


@case(
    "bool-{name}",
    "Booleans through {name}",
    {"x": tensor("bool", 2, 3)},
    points=grid(name=("transpose", "reverse", "tile")),
    needs=lambda name: {"transpose": "Transpose", "reverse": "ReverseSequence", "tile": "Tile"}[name],
)
def bool_move(x: T, name: str) -> T:
    return {
        "transpose": lambda: tf.transpose(x),
        "reverse": lambda: tf.reverse(x, [1]),
        "tile": lambda: tf.tile(x, [2, 1]),
    }[name]()


TEXTS = tensor("string", 3, values=exactly("Ab", "c d", ""))


@case(
    "string-{name}",
    "tf.strings.{name}",
    {"x": TEXTS},
    points=grid(name=("length", "to_hash_bucket_fast")),
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
)
def string(x: T, name: str) -> T:
    return getattr(tf.strings, name)(x, 10) if name == "to_hash_bucket_fast" else getattr(tf.strings, name)(x)


@case(
    "string-ops",
    "Texts that are only moved",
    {"x": TEXTS},
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
    needs="Concat",
)
def string_move(x: T) -> T:
    return tf.concat([x[1:], x[:1]], 0)


@case(
    "string-equal",
    "Comparison of texts",
    {"x": tensor("string", 3, values=exactly("a", "b", "a"))},
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
)
def string_equal(x: T) -> T:
    return tf.cast(tf.equal(x, "a"), tf.float32)


@case("bitcast", "Bits of floats as integers", {"x": f32(4)})
def bitcast(x: T) -> T:
    return tf.bitcast(x, tf.int32)


@case("complex-product", "Product of complex numbers", {"re": f32(3), "im": f32(3)})
def complex_product(re: T, im: T) -> T:
    z = tf.complex(re, im)
    return tf.math.real(z * z), tf.math.imag(z * z)


@case(
    "mixed-int-float-index",
    "Index computed in floats",
    {"x": f32(6), "at": f32(2, values=exactly(0.6, 0.2))},
    needs="Cast Gather",
)
def mixed(x: T, at: T) -> T:
    return tf.gather(x, tf.cast(at * 5.0 + 0.5, tf.int32))


@case(
    "int32-division",
    "True division of integers",
    {"x": i32(4, values=exactly(7, -7, 1, 0)), "y": i32(4, values=exactly(2))},
    needs="Div",
)
def int_division(x: T, y: T) -> T:
    return tf.cast(x / y, tf.float32)
