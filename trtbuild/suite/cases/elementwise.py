"""Elementwise functions and activations, and what they make of NaN, infinity and ties."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, keras, tensor, tf, uniform

NAN, INF = float("nan"), float("inf")
SPECIAL = exactly(NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5, 7.0, 3e38)
# Function -> the operation that it is exported as; "" where it cannot be exported.
UNARY = {
    "erf": "Erf", "erfinv": "", "lgamma": "", "digamma": "", "sinh": "Sinh", "acosh": "Acosh", "atanh": "Atanh",
    "expm1": "", "log1p": "", "rint": "Round", "sign": "Sign", "tan": "Tan", "softsign": "Softsign",
    "reciprocal_no_nan": "Div Equal Where",
}  # fmt: skip
ACTIVATIONS = {
    "gelu": "Erf", "silu": "Sigmoid Mul", "elu": "Elu", "selu": "Selu", "relu6": "Clip", "leaky_relu": "LeakyRelu",
    "celu": "", "mish": "Softplus Tanh Mul", "hard_sigmoid": "Clip", "hard_silu": "Clip Mul", "softplus": "Softplus",
    "sparsemax": "TopK CumSum", "glu": "Split Sigmoid", "squareplus": "Sqrt", "log_sigmoid": "Softplus Neg",
}  # fmt: skip
SPECIAL_MATH = {
    "sign": "Sign", "sqrt": "Sqrt", "log": "Log", "is_nan": "IsNaN", "is_inf": "IsInf", "is_finite": "IsInf IsNaN",
    "floor": "Floor", "exp": "Exp", "reciprocal": "Reciprocal",
}  # fmt: skip


@case(
    "unary-{name}",
    "tf.math.{name}",
    {"x": f32(3, 4, values=uniform(0.05, 0.95))},
    points=grid(name=UNARY),
    needs=lambda name: UNARY[name],
)
def unary(x: T, name: str) -> T:
    return getattr(tf.math, name)(x)


@case(
    "activation-{name}",
    "Keras activation {name}",
    {"x": f32(3, 8, values=uniform(-4, 4))},
    points=grid(name=ACTIVATIONS),
    needs=lambda name: ACTIVATIONS[name],
)
def activation(x: T, name: str) -> T:
    return getattr(keras.activations, name)(x)


@case(
    "celu-formula-{alpha}",
    "CELU with alpha {alpha}",
    {"x": f32(3, 8, values=uniform(-4, 4))},
    points=[{"alpha": 0.5, "id": "celu-formula"}, {"alpha": 2.0}],
    issues="onnx/onnx-tensorrt/Changelog@8.4",
)
def celu(x: T, alpha: float) -> T:
    return keras.activations.celu(x, alpha)


@case(
    "gelu-fp16-{form}",
    "fp16 GELU, {form}, without a bias in front",
    {"x": f32(3, 16, values=uniform(-6, 6))},
    points=[{"form": "exact", "id": "gelu-fp16-transformer"}, {"form": "tanh"}],
    precision="fp16",
    issues="NVIDIA/TensorRT#1262 NVIDIA/TensorRT/CHANGELOG@10.13",
    needs=lambda form: "Erf" if form == "exact" else "Tanh",
)
def gelu(x: T, form: str) -> T:
    return tf.nn.gelu(x, approximate=form == "tanh")


@case("swish-opset24", "Swish in opset 24, as two operations", {"x": f32(3, 8)}, opset=24, needs="Sigmoid Mul")
def swish_24(x: T) -> T:
    return tf.nn.silu(x)


@case("special-{name}", "{name} of NaN, infinities and zeros", {"x": f32(9, values=SPECIAL)},
      points=[*grid(name=("relu", "sigmoid", "tanh", "softmax", "elu")), {"name": "relu6", "id": "clip-nan-semantics"}],
      issues="NVIDIA/TensorRT#4773", needs=lambda name: {"relu6": "Clip"}.get(name, name.title()))  # fmt: skip
def special_nn(x: T, name: str) -> T:
    return getattr(tf.nn, name)(x)


@case(
    "special-{name}",
    "{name} of NaN, infinities and zeros",
    {"x": f32(9, values=SPECIAL)},
    points=grid(name=SPECIAL_MATH),
    needs=lambda name: SPECIAL_MATH[name],
)
def special_math(x: T, name: str) -> T:
    return getattr(tf.math, name)(x)


@case(
    "{name}-nan-semantics",
    "{name} with a NaN on either side",
    {"x": f32(4, values=exactly(NAN, 1.0, NAN, 2.0)), "y": f32(4, values=exactly(0.0, NAN, NAN, 3.0))},
    points=[{"name": "minimum", "id": "min-nan-semantics"}, {"name": "maximum"}],
    issues="NVIDIA/TensorRT#4758",
    needs=lambda name: name.title()[:3],
)
def extremum(x: T, y: T, name: str) -> T:
    return getattr(tf, name)(x, y)


@case(
    "clip-by-value-nan",
    "clip_by_value of NaN",
    {"x": f32(9, values=SPECIAL)},
    issues="NVIDIA/TensorRT#4773",
    needs="Max Min",
)
def clip(x: T) -> T:
    return tf.clip_by_value(x, 0.0, 6.0)


@case("round-half-to-even", "Rounding of halves", {"x": f32(6, values=exactly(0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997))},
      needs="Round")  # fmt: skip
def round_half(x: T) -> T:
    return tf.round(x)


@case("fp16-overflow-constants", "fp16 with a constant of -1e12 and one of 1e-12", {"x": f32(4)}, precision="fp16",
      issues="NVIDIA/TensorRT#2466 NVIDIA/TensorRT#3257", tolerance=(0.1, 0.1), needs="Max")  # fmt: skip
def constants(x: T) -> T:
    return tf.maximum(x, -1e12) + tf.constant([1e-12, 0.0, 1.0, 2.0])


@case(
    "gfpgan-fp16-weights",
    "fp16 addition of constants beyond fp16",
    {"x": f32(4, values=uniform(6e4, 6.4e4))},
    precision="fp16",
    issues="NVIDIA/TensorRT#3257",
    structure="a bias of 1e5 is clamped: a difference is expected",
    needs="Sub",
)
def bias_large(x: T) -> T:
    return x - tf.constant([1e5, 7e4, 1.0, 2.0])


@case("or-cast-wrong", "Logical or, cast to float", {"x": tensor("bool", 4, values=exactly(0, 0, 1, 1)),
                                                   "y": tensor("bool", 4, values=exactly(0, 1, 0, 1))},
      issues="NVIDIA/TensorRT#4512", needs="Or Cast", structure="Or, Cast")  # fmt: skip
def or_cast(x: T, y: T) -> T:
    return tf.cast(tf.logical_or(x, y), tf.float32)


@case(
    "broadcast-rank-5-and-1",
    "Addition that broadcasts rank 1 to rank 5",
    {"x": f32(1, 2, 1, 3, 4), "y": f32(4)},
    needs="Add",
)
def broadcast(x: T, y: T) -> T:
    return x + y + tf.ones([2, 1, 5, 1, 1])


@case("complex-abs", "Magnitude of complex numbers", {"re": f32(4), "im": f32(4)})
def complex_abs(re: T, im: T) -> T:
    return tf.abs(tf.complex(re, im))
