"""Reads and writes by index: negative, duplicate, batched, data-dependent."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, i32, tensor, tf, weights

TABLE = f32(5, 3)


@case("gather-axis{axis}", "Gather along axis {axis}", {"x": f32(4, 5, 6), "i": i32(2, 3, values=exactly(3, 0, 1))},
      points=grid(axis=(0, 2)), needs="Gather")  # fmt: skip
def gather(x: T, i: T, axis: int) -> T:
    return tf.gather(x, i, axis=axis)


@case("gather-negative-index", "Slice and gather from the end", {"x": TABLE}, issues="NVIDIA/TensorRT#1229",
      structure="a constant index of -1", needs="Gather Slice")  # fmt: skip
def gather_negative(x: T) -> T:
    return x[-1], tf.gather(tf.transpose(x), tf.shape(x)[0] - 1, axis=1)


@case("gather-multibatch-myelin", "Gather in a batch, batch of dynamic size",
      {"x": f32(None, 5, 3, profile=[(1, 5, 3), (2, 5, 3), (4, 5, 3)]),
       "i": i32(None, 2, values=exactly(4, 1, 0), profile=[(1, 2), (2, 2), (4, 2)])},
      issues="NVIDIA/TensorRT#2299", structure="gather with batch dimensions", needs="GatherND")  # fmt: skip
def gather_batch(x: T, i: T) -> T:
    return tf.gather(x, i, batch_dims=1)


@case("take-along-axis", "take_along_axis", {"x": f32(3, 5), "i": i32(3, 2, values=exactly(4, 0, 2, 2, 1, 3))},
      issues="onnx/onnx-tensorrt#675", needs="GatherND")  # fmt: skip
def gather_elements(x: T, i: T) -> T:
    return tf.experimental.numpy.take_along_axis(x, tf.cast(i, tf.int64), 1)


@case("gather-nd", "gather_nd of rows and of elements", {"x": f32(3, 4, 2), "i": i32(2, 2, values=exactly(2, 1, 0, 3))},
      needs="GatherND", issues="NVIDIA/TensorRT#2299")  # fmt: skip
def gather_nd(x: T, i: T) -> T:
    return tf.gather_nd(x, i), tf.gather_nd(x, tf.concat([i, i[:, :1] // 2], 1))


@case(
    "gather-nd-batch",
    "gather_nd with a batch dimension",
    {"x": f32(2, 4, 3), "i": i32(2, 1, 1, values=exactly(3, 0))},
    needs="GatherND",
)
def gather_nd_batch(x: T, i: T) -> T:
    return tf.gather_nd(x, i, batch_dims=1)


@case(
    "gather-out-of-range",
    "Gather past the end, where TensorFlow on a GPU gives zero",
    {"x": TABLE, "i": i32(2, values=exactly(1, 9))},
    needs="Gather",
    structure="an index without a meaning: engines read what lies there",
)
def gather_beyond(x: T, i: T) -> T:
    return tf.gather(x, i)


@case(
    "embedding-bag-{dtype}",
    "Embedding lookup by {dtype}, summed",
    {"i": tensor("{dtype}", 2, 4)},
    points=grid(dtype=("int32", "int64")),
    needs="Gather ReduceSum",
)
def embedding(i: T, dtype: str) -> T:
    return tf.reduce_sum(tf.nn.embedding_lookup(weights(6, 3), i), 1)


@case(
    "scatternd-{name}",
    "tensor_scatter_nd_{name}",
    {"x": TABLE, "i": i32(2, 1, values=exactly(3, 1)), "u": f32(2, 3)},
    points=[
        {"name": "update", "id": "scatternd-segfault-82"},
        {"name": "add", "id": "scatternd-opset18"},
        {"name": "max"},
        {"name": "min"},
        {"name": "sub"},
    ],
    issues="NVIDIA/TensorRT#1692 NVIDIA/TensorRT/CHANGELOG@10.9",
    needs="ScatterND",
)
def scatter(x: T, i: T, u: T, name: str) -> T:
    return getattr(tf, f"tensor_scatter_nd_{name}")(x, i, u)


@case("scatternd-duplicates-warning", "Update with equal values at duplicate indices",
      {"x": TABLE, "i": i32(3, 1, values=exactly(1, 4, 1)), "u": f32(3, 3, values=exactly(7.0, 8.0, 9.0))},
      issues="NVIDIA/TensorRT#4425", needs="ScatterND")  # fmt: skip
def scatter_duplicates(x: T, i: T, u: T) -> T:
    return tf.tensor_scatter_nd_update(x, i, u)


@case(
    "scatternd-add-duplicates",
    "Addition at duplicate indices, opset 18",
    opset=18,
    inputs={"x": TABLE, "i": i32(3, 1, values=exactly(1, 4, 1)), "u": f32(3, 3)},
    issues="NVIDIA/TensorRT/CHANGELOG@10.9",
    needs="ScatterND",
)
def scatter_add(x: T, i: T, u: T) -> T:
    return tf.tensor_scatter_nd_add(x, i, u)


@case(
    "scatternd-fuzz-861",
    "fp16 update of whole matrices",
    needs="ScatterND",
    precision="fp16",
    issues="NVIDIA/TensorRT#3462",
    inputs={"x": f32(4, 4, 4), "i": i32(2, 1, values=exactly(0, 2)), "u": f32(2, 4, 4)},
)
def scatter_half(x: T, i: T, u: T) -> T:
    return tf.tensor_scatter_nd_update(x, i, u)


@case(
    "scatter-nd-into-zeros",
    "scatter_nd into zeros, with duplicates",
    {"i": i32(3, 1, values=exactly(0, 1, 1)), "u": f32(3, 2)},
    issues="NVIDIA/TensorRT#3464",
    needs="ScatterND",
)
def scatter_zeros(i: T, u: T) -> T:
    return tf.scatter_nd(i, u, [4, 2])


@case(
    "segment-{name}",
    "segment_{name} of sorted segments",
    {"x": TABLE},
    points=grid(name=("sum", "max")),
    needs="Unique ScatterND",
)
def segment(x: T, name: str) -> T:
    return getattr(tf.math, f"segment_{name}")(x, [0, 0, 1, 2, 2])


@case("unsorted-segment-{name}", "unsorted_segment_{name}", {"x": TABLE, "i": i32(5, values=exactly(2, 0, 2, 1, 0))},
      points=[{"name": "sum"}, {"name": "max"}, {"name": "mean"}],
      issues="onnx/onnx-tensorrt/Changelog@10.0", needs="Unique ScatterND")  # fmt: skip
def unsorted_segment(x: T, i: T, name: str) -> T:
    return getattr(tf.math, f"unsorted_segment_{name}")(x, i, 3)


@case("where-indices", "tf.where of a condition: indices", {"x": f32(3, 4)}, needs="NonZero",
      issues="microsoft/onnxruntime#17434")  # fmt: skip
def where_indices(x: T) -> T:
    return tf.where(x > 0.0)


@case(
    "datadep-foreignnode",
    "boolean_mask, then a product",
    {"x": f32(5, 3), "keep": tensor("bool", 5, values=exactly(1, 0, 1, 1, 0))},
    issues="NVIDIA/TensorRT#3903 NVIDIA/TensorRT#2850",
    structure="NonZero, Gather, MatMul: a data-dependent shape",
    needs="NonZero Gather MatMul",
)
def boolean_mask(x: T, keep: T) -> T:
    return tf.matmul(tf.boolean_mask(x, keep), weights(3, 2))


@case("where-select-broadcast", "tf.where that selects, with NaN in the branch not taken",
      {"x": f32(3, 4, values=exactly(-1.0, 4.0, 0.0, 9.0))}, needs="Sqrt")  # fmt: skip
def where_select(x: T) -> T:
    return tf.where(x >= 0.0, tf.sqrt(x), tf.constant([[0.5]]))


@case(
    "max-of-selected-integers",
    "Maximum over a selection of integers",
    {"x": i32(4, 5)},
    issues="NVIDIA/TensorRT#3471",
    structure="selection of integers, ReduceMax",
    needs="ReduceMax",
)
def where_integers(x: T) -> T:
    return tf.reduce_max(tf.where(x > 2, x, -x), 1)


@case("onehot-depth", "one_hot whose depth is a run-time size", {"i": i32(4), "like": f32(3, 6)}, needs="OneHot",
      issues="onnx/onnx-tensorrt/operators.md", structure="Shape feeds OneHot")  # fmt: skip
def one_hot_depth(i: T, like: T) -> T:
    return tf.one_hot(i, tf.shape(like)[1])


@case("onehot-depth-input", "one_hot whose depth is a graph input", {"i": i32(4), "depth": i32(values=exactly(5))},
      needs="OneHot", issues="onnx/onnx-tensorrt/operators.md")  # fmt: skip
def one_hot_input(i: T, depth: T) -> T:
    return tf.one_hot(i, depth)


@case("onehot-axis-and-range", "one_hot in the middle, values of its own, indices out of range",
      {"i": i32(2, 3, values=exactly(0, 3, -1))}, needs="OneHot")  # fmt: skip
def one_hot(i: T) -> T:
    return tf.one_hot(i, 3, on_value=2.0, off_value=-1.0, axis=1)


@case("dynamic-stitch", "dynamic_stitch of two parts", {"a": f32(2, 3), "b": f32(3, 3)}, needs="ScatterElements")
def stitch(a: T, b: T) -> T:
    return tf.dynamic_stitch([[0, 3], [1, 2, 4]], [a, b])


@case(
    "dynamic-partition",
    "dynamic_partition in two",
    {"x": TABLE, "i": i32(5, values=exactly(0, 1, 0, 1, 1))},
    needs="Compress",
)
def partition(x: T, i: T) -> T:
    return tf.dynamic_partition(x, i, 2)


@case(
    "gridsample-by-gather",
    "Bilinear sampling made of gathers, with points outside",
    issues="NVIDIA/TensorRT#4813 pytorch/TensorRT#3674",
    inputs={"x": f32(1, 6, 6, 2), "at": f32(4, 2, values=exactly(0.5, 1.25, -1.0, 3.5, 5.0, 7.0, 2.0, 2.0))},
    needs="GatherND",
    structure="Floor, Clip, Cast, four GatherND, weighted sum",
    tolerance=(1e-3, 1e-3),
)
def sample(x: T, at: T) -> T:
    low = tf.floor(at)
    total = tf.zeros([4, 2])
    for dy in (0.0, 1.0):
        for dx in (0.0, 1.0):
            corner = low + tf.constant([dy, dx])
            share = tf.reduce_prod(1.0 - tf.abs(at - corner), -1, keepdims=True)
            corner = tf.cast(tf.clip_by_value(corner, 0.0, 5.0), tf.int32)
            total += share * tf.gather_nd(x[0], corner)
    return total
