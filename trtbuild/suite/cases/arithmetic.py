"""Division, modulus, powers and bits: signs, zeros, and the ends of the integers."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, i32, integers, tensor, tf

NAN, INF = float("nan"), float("inf")


@case(
    "divide-by-zero",
    "Division of floats by zero",
    {"x": f32(4, values=exactly(1.0, -1.0, 0.0, NAN)), "y": f32(4, values=exactly(0.0, 0.0, 0.0, 1.0))},
    needs="Div",
)
def divide(x: T, y: T) -> T:
    return x / y


@case(
    "divide-no-nan",
    "divide_no_nan by zero",
    {"x": f32(3), "y": f32(3, values=exactly(0.0, 2.0, -0.0))},
    needs="Div Where",
)
def divide_no_nan(x: T, y: T) -> T:
    return tf.math.divide_no_nan(x, y)


@case(
    "mod-{name}-{dtype}",
    "{name} of {dtype} by 32",
    {"x": tensor("{dtype}", 4, values=exactly(18542495, 2147483647, 1800000000, -7))},
    points=[
        {"name": "floormod", "dtype": "int32"},
        {"name": "floormod", "dtype": "int64"},
    ],
    issues="NVIDIA/TensorRT#4702",
    structure="exported as Div, Mul and Sub: the product may overflow",
    needs="Div Mul Sub",
)
def modulus(x: T, name: str, dtype: str) -> T:
    return getattr(tf.math, name)(x, tf.constant(32, x.dtype))


@case(
    "mod-negative-divisor",
    "floormod with operands of both signs",
    {"x": i32(6, values=exactly(7, -7, 7, -7, 6, -6)), "y": i32(6, values=exactly(3, 3, -3, -3, 3, -3))},
    needs="Div Mul Sub",
)
def modulus_signs(x: T, y: T) -> T:
    return tf.math.floormod(x, y)


@case("truncatemod-int32", "truncatemod with operands of both signs",
      {"x": i32(4, values=exactly(7, -7, 7, -7)), "y": i32(4, values=exactly(3, 3, -3, -3))})  # fmt: skip
def truncatemod(x: T, y: T) -> T:
    return tf.truncatemod(x, y)


@case(
    "floormod-float",
    "floormod of floats",
    {"x": f32(4, values=exactly(5.5, -5.5, 5.5, -5.5)), "y": f32(4, values=exactly(2.0, 2.0, -2.0, -2.0))},
    needs="Div Floor Mul Sub",
)
def floormod_float(x: T, y: T) -> T:
    return tf.math.floormod(x, y)


@case("floordiv-negative-int", "floordiv of negative integers",
      {"x": i32(6, values=exactly(-3, -7, -10, 3, 7, 10)), "y": i32(6, values=exactly(3, 3, 3, -3, -3, 3))},
      issues="onnx/tensorflow-onnx#2174", needs="Div")  # fmt: skip
def floordiv(x: T, y: T) -> T:
    return tf.math.floordiv(x, y)


@case("pow-{dtype}", "Power of {dtype}", {"x": tensor("{dtype}", 4, values=exactly(2, -3, 5, 0))},
      points=[{"dtype": "int32", "id": "pow-integer"}, {"dtype": "float32"}, {"dtype": "int64"}],
      issues="NVIDIA/TensorRT/CHANGELOG@10.8", needs="Pow")  # fmt: skip
def power(x: T, dtype: str) -> T:
    return tf.pow(x, tf.constant([3, 2, 1, 0], x.dtype))


@case("pow-negative-base", "Power of negative floats", {"x": f32(3, values=exactly(-2.0, -2.0, -8.0))}, needs="Pow")
def power_negative(x: T) -> T:
    return tf.pow(x, [2.0, 3.0, 0.5])


@case(
    "atan2",
    "atan2 in all quadrants and on the axes",
    {
        "y": f32(6, values=exactly(1.0, 1.0, -1.0, -1.0, 0.0, 0.0)),
        "x": f32(6, values=exactly(1.0, -1.0, 1.0, -1.0, -1.0, 1.0)),
    },
    needs="Atan",
)
def atan2(y: T, x: T) -> T:
    return tf.math.atan2(y, x)


@case(
    "xlogy",
    "x log y with zeros",
    {"x": f32(3, values=exactly(0.0, 2.0, 0.0)), "y": f32(3, values=exactly(0.0, 3.0, 1.0))},
)
def xlogy(x: T, y: T) -> T:
    return tf.math.xlogy(x, y)


@case(
    "bitwise-{name}",
    "Bitwise {name} of integers",
    {"x": i32(4, values=integers(0, 31)), "y": i32(4, values=integers(0, 7))},
    points=[{"name": "bitwise_and", "id": "bitwise-ops"}, {"name": "bitwise_xor"}, {"name": "left_shift"}],
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
    needs=lambda name: "BitShift" if name == "left_shift" else (),
)
def bitwise(x: T, y: T, name: str) -> T:
    return getattr(tf.bitwise, name)(x, y)


@case(
    "int32-overflow",
    "Product of integers past the largest",
    {"x": i32(2, values=exactly(2147483647, -2147483648))},
    needs="Mul",
)
def overflow(x: T) -> T:
    return x * 2


@case(
    "compare-{name}",
    "{name} of floats with NaN",
    {"x": f32(4, values=exactly(NAN, 1.0, 2.0, INF)), "y": f32(4, values=exactly(NAN, 1.0, 3.0, INF))},
    points=grid(name=("equal", "not_equal", "less_equal")),
    needs=lambda name: "LessOrEqual" if name == "less_equal" else "Equal",
)
def compare(x: T, y: T, name: str) -> T:
    return getattr(tf, name)(x, y)
