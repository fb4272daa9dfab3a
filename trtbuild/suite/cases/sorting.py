"""Order: the largest k with ties and special values, sorting, unique values, suppression of boxes."""

from __future__ import annotations

from trtbuild.suite import T, case, exactly, f32, grid, i32, tensor, tf, uniform

NAN, INF = float("nan"), float("inf")
BOXES = {
    "boxes": f32(
        6, 4, values=exactly(0.0, 0.0, 1.0, 1.0, 0.0, 0.05, 1.0, 1.05, 0.0, 2.0, 1.0, 3.0, 0.1, 2.0, 1.1, 3.0)
    ),
    "scores": f32(6, values=exactly(0.9, 0.8, 0.7, 0.95, 0.3, 0.6)),
}


@case(
    "topk-{k}-of-{n}",
    "The largest {k} of {n}",
    {"x": f32(1, "n")},
    needs="TopK",
    points=[
        {"k": 3840, "n": 5000},
        {"k": 3841, "n": 5000, "id": "topk-k-limit-3840"},
        {"k": 4096, "n": 4096},
        {"k": 1, "n": 7},
        {"k": 20, "n": 2000, "id": "topk-k20-nan-6"},
    ],
    issues="NVIDIA/TensorRT#4244 NVIDIA/TensorRT#4390 NVIDIA/TensorRT#216",
)
def topk(x: T, k: int, n: int) -> T:
    return tf.math.top_k(x, k)


@case(
    "topk-84-accuracy",
    "The largest 4 with ties",
    {"x": f32(2, 8, values=exactly(1.0, 3.0, 3.0, 2.0, 3.0, 1.0, 2.0))},
    needs="TopK",
    issues="NVIDIA/TensorRT#2259",
)
def topk_ties(x: T) -> T:
    return tf.math.top_k(x, 4)


@case(
    "topk-infinity-86ea",
    "The largest of infinities and NaN-free extremes",
    {"x": f32(1, 6, values=exactly(-INF, 1.0, INF, -3e38, 3e38, -INF))},
    needs="TopK",
    issues="microsoft/onnxruntime#15299",
)
def topk_infinity(x: T) -> T:
    return tf.math.top_k(x, 5)


@case(
    "topk-nan", "The largest where one is NaN", {"x": f32(1, 5, values=exactly(1.0, NAN, 3.0, 2.0, -1.0))}, needs="TopK"
)
def topk_nan(x: T) -> T:
    return tf.math.top_k(x, 3)


@case(
    "topk-int32-invalid",
    "The largest integers",
    {"x": i32(2, 6, values=exactly(5, -3, 2147483647, 0, 16777217, 16777216))},
    needs="TopK",
    issues="onnx/onnx-tensorrt#918",
)
def topk_integers(x: T) -> T:
    return tf.math.top_k(x, 3)


@case(
    "topk-indices-type",
    "Indices of the largest, cast to float",
    {"x": f32(2, 9)},
    needs="TopK Cast",
    issues="NVIDIA/TensorRT#2680",
    structure="TopK, Cast",
)
def topk_cast(x: T) -> T:
    return tf.cast(tf.math.top_k(x, 3).indices, tf.float32)


@case(
    "topk-dynamic-{what}",
    "The largest, {what} at run time",
    {"x": f32(2, None, profile=[(2, 4), (2, 8), (2, 50)])},
    needs="TopK",
    points=grid(what=("length", "half")),
    structure="k is 3, or half of the length",
)
def topk_dynamic(x: T, what: str) -> T:
    return tf.math.top_k(x, 3 if what == "length" else tf.shape(x)[1] // 2)


@case("topk-k-input", "The largest k, k a graph input", {"x": f32(2, 9), "k": i32(values=exactly(4))}, needs="TopK")
def topk_input(x: T, k: T) -> T:
    return tf.math.top_k(x, k)


@case(
    "yolov10-fp16-1013",
    "fp16 detection head: largest scores, their boxes gathered",
    {"scores": f32(1, 40), "boxes": f32(1, 40, 4)},
    precision="fp16",
    issues="NVIDIA/TensorRT#4820",
    needs="TopK",
    structure="Sigmoid, TopK, Gather, Concat",
)
def detections(scores: T, boxes: T) -> T:
    best = tf.math.top_k(tf.sigmoid(scores), 10)
    return tf.concat([tf.gather(boxes, best.indices, batch_dims=1), best.values[..., None]], -1)


@case(
    "sort-{direction}",
    "tf.sort, {direction}",
    {"x": f32(3, 6)},
    points=grid(direction=("ASCENDING", "DESCENDING")),
    needs="TopK",
)
def sort(x: T, direction: str) -> T:
    return tf.sort(x, direction=direction)


@case("argsort-stable-ties", "argsort with ties", {"x": f32(2, 6, values=exactly(2.0, 1.0, 2.0, 1.0))}, needs="TopK")
def argsort(x: T) -> T:
    return tf.argsort(x, stable=True)


@case("in-top-k", "in_top_k", {"x": f32(3, 5), "target": i32(3)})
def in_top(x: T, target: T) -> T:
    return tf.math.in_top_k(target, x, 2)


@case(
    "unique-{form}",
    "tf.unique, {form}",
    {"x": i32(6, values=exactly(3, 1, 3, 2, 1, 7))},
    points=[{"form": "with_counts", "id": "unique-unsupported"}, {"form": "plain"}],
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
    needs="Unique",
)
def unique(x: T, form: str) -> T:
    return tf.unique_with_counts(x) if form == "with_counts" else tf.unique(x).y


@case("bincount", "Counts of integers", {"x": i32(8)}, needs="Unique")
def bincount(x: T) -> T:
    return tf.math.bincount(x, minlength=5, maxlength=5)


@case("searchsorted", "searchsorted", {"x": f32(4)})
def searchsorted(x: T) -> T:
    return tf.searchsorted(tf.constant([-1.0, 0.0, 0.5, 2.0]), x)


@case("nth-element", "nth_element", {"x": f32(2, 7)})
def nth(x: T) -> T:
    return tf.raw_ops.NthElement(input=x, n=2)


@case(
    "nms-{form}",
    "non_max_suppression, {form}",
    BOXES,
    issues="NVIDIA/TensorRT#592 NVIDIA/TensorRT#523 NVIDIA/TensorRT#1379",
    points=[{"form": "plain", "id": "nms-not-registered"}, {"form": "padded"}, {"form": "with_scores"}],
    needs=lambda form: "Loop" if form == "padded" else "NonMaxSuppression",
)
def nms(boxes: T, scores: T, form: str) -> T:
    if form == "plain":
        return tf.image.non_max_suppression(boxes, scores, 3, 0.5)
    call = getattr(tf.image, f"non_max_suppression_{form}")
    return (
        call(boxes, scores, 4, iou_threshold=0.5)
        if form == "with_scores"
        else call(boxes, scores, 4, 0.5, pad_to_max_output_size=True)
    )


@case(
    "nms-combined",
    "combined_non_max_suppression",
    {"boxes": f32(1, 6, 1, 4, values=uniform(0, 1)), "scores": f32(1, 6, 2, values=uniform(0, 1))},
    issues="onnx/onnx-tensorrt#552",
    needs="NonMaxSuppression",
)
def nms_combined(boxes: T, scores: T) -> T:
    return tuple(tf.image.combined_non_max_suppression(boxes, scores, 3, 6))


@case(
    "nms-then-gather",
    "Suppression, then the boxes that are left",
    BOXES,
    structure="NonMaxSuppression, Gather: a data-dependent shape",
    issues="onnx/onnx-tensorrt#552",
    needs="NonMaxSuppression Gather",
)
def nms_gather(boxes: T, scores: T) -> T:
    return tf.gather(boxes, tf.image.non_max_suppression(boxes, scores, 3, 0.5))


@case(
    "reverse-sequence",
    "reverse_sequence of different lengths",
    {"x": f32(3, 5, 2), "lengths": i32(3, values=exactly(5, 2, 1))},
    needs="ReverseSequence",
)
def reverse_sequence(x: T, lengths: T) -> T:
    return tf.reverse_sequence(x, lengths, seq_axis=1, batch_axis=0)


@case(
    "sort-int64",
    "Sorting of 64-bit integers past 2^31",
    {"x": tensor("int64", 5, values=exactly(2**40, -(2**40), 3, 2**31, 2**31 + 1))},
    needs="TopK",
)
def sort_long(x: T) -> T:
    return tf.sort(x)
