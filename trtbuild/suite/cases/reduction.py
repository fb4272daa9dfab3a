"""Reductions and scans: axes, ties, special values, overflow, and two that differ in one attribute."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, i32, normal, tensor, tf, uniform

NAN, INF = float("nan"), float("inf")
CUBE = {"x": f32(2, 3, 4)}
# Function -> the operations that it is exported as; "" where it cannot be exported.
REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "logsumexp": "ReduceMax Exp ReduceSum Log",
    "euclidean_norm": "",
    "std": "ReduceMean Sqrt",
    "variance": "ReduceMean",
}


@case(
    "reduce-{name}",
    "reduce_{name} over the middle axis",
    CUBE,
    points=grid(name=REDUCTIONS),
    needs=lambda name: REDUCTIONS[name],
)
def reduce_middle(x: T, name: str) -> T:
    call = getattr(tf, f"reduce_{name}", None) or getattr(tf.math, f"reduce_{name}")
    return call(x, axis=1)


@case(
    "reduce-{name}-bool",
    "reduce_{name} of booleans",
    {"x": tensor("bool", 3, 4)},
    points=grid(name=("all", "any")),
    needs="ReduceSum",
)
def reduce_bool(x: T, name: str) -> T:
    return getattr(tf, f"reduce_{name}")(x, axis=-1)


@case(
    "reduce-{name}-{dtype}",
    "reduce_{name} of {dtype}",
    {"x": tensor("{dtype}", 3, 5)},
    points=grid(name=("sum", "max", "mean"), dtype=("int32", "int64")),
    needs=lambda name, **_: REDUCTIONS[name],
)
def reduce_integers(x: T, name: str, dtype: str) -> T:
    return getattr(tf, f"reduce_{name}")(x, axis=1)


@case("reduce-all-axes-to-scalar", "Sum of everything, to a scalar", CUBE, needs="ReduceSum")
def reduce_scalar(x: T) -> T:
    return tf.reduce_sum(x)


@case("reduce-first-and-last-keepdims", "Mean over the first and last axis, kept, rank 5", {"x": f32(2, 3, 1, 4, 5)},
      needs="ReduceMean")  # fmt: skip
def reduce_outer(x: T) -> T:
    return tf.reduce_mean(x, axis=[0, -1], keepdims=True)


@case("reduce-axis-input", "Sum over an axis that is a graph input", {"x": f32(3, 4), "axis": i32(values=exactly(1))},
      issues="NVIDIA/TensorRT/CHANGELOG@10.3", needs="ReduceSum")  # fmt: skip
def reduce_axis(x: T, axis: T) -> T:
    return tf.reduce_sum(x, axis)


@case(
    "reduce-{name}-nan-inf",
    "reduce_{name} of NaN and infinities",
    {"x": f32(4, 3, values=exactly(1.0, 2.0, 3.0, 1.0, NAN, 2.0, -INF, 0.0, INF, -INF, -INF, -INF))},
    points=grid(name=("max", "min", "sum", "logsumexp")),
    issues="NVIDIA/TensorRT#3467",
    needs=lambda name: REDUCTIONS[name],
)
def reduce_special(x: T, name: str) -> T:
    return getattr(tf, f"reduce_{name}")(x, axis=1)


@case("reducemax-fuzz-861", "fp16 maximum over the middle axis", {"x": f32(3, 7, 5)}, precision="fp16",
      issues="NVIDIA/TensorRT#3467", needs="ReduceMax")  # fmt: skip
def reduce_max_half(x: T) -> T:
    return tf.reduce_max(x, axis=1)


@case(
    "reduce-{name}-fp16-large",
    "fp16 {name} of 4096 values near 100: the sum overflows",
    {"x": f32(2, 4096, values=normal(1.0, 100.0))},
    points=grid(name=("sum", "mean")),
    precision="fp16",
    needs=lambda name: REDUCTIONS[name],
)
def reduce_overflow(x: T, name: str) -> T:
    return getattr(tf, f"reduce_{name}")(x, axis=1)


@case("mean-with-extra-output-91", "fp16 mean whose input is an output as well", {"x": f32(2, 3, 8)}, precision="fp16",
      issues="NVIDIA/TensorRT#3450 NVIDIA/TensorRT#3473", needs="ReduceMean",
      structure="Relu with two consumers, ReduceMean")  # fmt: skip
def mean_extra(x: T) -> T:
    y = tf.nn.relu(x)
    return tf.reduce_mean(y, 1), y


@case(
    "arg{name}-{dtype}",
    "arg{name} with ties, as {dtype}",
    {"x": f32(3, 6, values=exactly(1.0, 5.0, 5.0, -2.0, -2.0, 0.0))},
    points=[{"name": "max", "dtype": "int32"}, {"name": "min", "dtype": "int64"}],
    needs=lambda name, **_: f"Arg{name.title()}",
)
def arg(x: T, name: str, dtype: str) -> T:
    return getattr(tf, f"arg{name}")(x, axis=1, output_type=dtype)


@case("argmax-axis0-int32-input", "argmax of integers over the first axis", {"x": i32(5, 3)}, needs="ArgMax")
def arg_integers(x: T) -> T:
    return tf.argmax(x, axis=0)


@case("argmax-nan", "argmax where NaN stands first", {"x": f32(2, 3, values=exactly(NAN, 1.0, 2.0))}, needs="ArgMax")
def arg_nan(x: T) -> T:
    return tf.argmax(x, axis=1)


@case("cumsum-{mode}", "Cumulative sum, {mode}", {"x": f32(3, 4, 5)}, needs="CumSum",
      points=grid(mode=("plain", "exclusive", "reverse", "both")))  # fmt: skip
def cumsum(x: T, mode: str) -> T:
    return tf.cumsum(x, 1, exclusive=mode in ("exclusive", "both"), reverse=mode in ("reverse", "both"))


@case("cumsum-reverse-merged", "Two cumulative sums that differ in 'reverse' only", {"x": f32(3, 4, 5)}, needs="CumSum",
      issues="NVIDIA/TensorRT#4513", structure="one input, two CumSum that must not be merged")  # fmt: skip
def cumsum_pair(x: T) -> T:
    return tf.cumsum(x, -1), tf.cumsum(x, -1, reverse=True)


@case(
    "cumsum-multi-axis",
    "Two cumulative sums on different axes",
    {"x": f32(4, 2)},
    needs="CumSum",
    issues="NVIDIA/TensorRT#4551 onnx/onnx-tensorrt#1034",
    structure="CumSum of a CumSum, and of the same input",
)
def cumsum_axes(x: T) -> T:
    return tf.cumsum(tf.cumsum(x, 0), 1), tf.cumsum(x, 1)


@case(
    "cumsum-axis-not-initializer",
    "Cumulative sum along a computed axis",
    {"x": f32(3, 4), "axis": i32(values=exactly(1))},
    needs="CumSum",
    issues="NVIDIA/TensorRT#3425 NVIDIA/TensorRT#1275",
)
def cumsum_axis(x: T, axis: T) -> T:
    return tf.cumsum(x, axis)


@case("cumsum-int32", "Cumulative sum of integers", {"x": i32(3, 5)}, needs="CumSum")
def cumsum_integers(x: T) -> T:
    return tf.cumsum(x, 1)


@case(
    "cumsum-slow-86",
    "Cumulative sum over 10000 values",
    {"x": f32(1, 10000, values=uniform(0, 0.01))},
    needs="CumSum",
    issues="NVIDIA/TensorRT#3323",
    tolerance=(1e-3, 1e-3),
)
def cumsum_long(x: T) -> T:
    return tf.cumsum(x, 1)


@case("cumprod", "Cumulative product", {"x": f32(3, 4, values=uniform(0.5, 1.5))}, needs="Loop")
def cumprod(x: T) -> T:
    return tf.math.cumprod(x, 1)


@case("cumulative-logsumexp", "Cumulative logsumexp", {"x": f32(3, 4)})
def cumulative_logsumexp(x: T) -> T:
    return tf.math.cumulative_logsumexp(x, 1)


@case(
    "range-reducemax",
    "Range up to a maximum",
    {"x": tensor("int64", 5, values=exactly(3, 1, 6, 2, 0))},
    issues="NVIDIA/TensorRT#3342",
    needs="Range",
    structure="ReduceMax feeds Range: a data-dependent shape",
)
def range_max(x: T) -> T:
    return tf.range(tf.reduce_max(x))


@case(
    "sum-of-three-fp16",
    "fp16 mean of three tensors",
    {"a": f32(1, 2, 3, 4), "b": f32(1, 2, 3, 4), "c": f32(1, 2, 3, 4)},
    precision="fp16",
    issues="NVIDIA/TensorRT#4509",
    needs="Sum",
)
def mean_of_three(a: T, b: T, c: T) -> T:
    return tf.add_n([a, b, c]) / 3.0


@case("moments-two-axes", "Mean and variance over two axes, both read", {"x": f32(2, 4, 4, 3)},
      structure="ReduceMean, Sub, Mul, ReduceMean; two outputs", needs="ReduceMean Mul Sub")  # fmt: skip
def moments(x: T) -> T:
    return tf.nn.moments(x, [1, 2])
