"""Attention and softmax: where scales, masks and transposes stand, head sizes, lengths, dynamic sequences."""

from __future__ import annotations

from trtbuild.suite import T, built, case, exactly, f32, grid, keras, normal, tf, weights

QKV = {"q": f32("b", "s", "d"), "k": f32("b", "s", "d"), "v": f32("b", "s", "d")}


@case(
    "transpose-fold-mha-{precision}-d{d}-b{b}",
    "{precision} attention, keys transposed from the input, head size {d}, batch {b}",
    {"q": f32("b", "s", "d"), "k": f32("b", "d", "s"), "v": f32("b", "s", "d")},
    precision="{precision}",
    points=[
        {"precision": "fp16", "d": 16, "b": 2, "s": 128, "id": "transpose-fold-mha-112"},
        {"precision": "fp16", "d": 8, "b": 2, "s": 128},
        {"precision": "fp16", "d": 9, "b": 1, "s": 2},
        {"precision": "bf16", "d": 16, "b": 2, "s": 128},
        {"precision": "fp32", "d": 9, "b": 2, "s": 16},
    ],
    issues="NVIDIA/TensorRT#4826",
    tolerance=(3e-2, 3e-2),
    needs="Transpose MatMul Softmax",
    structure="Transpose of a graph input, MatMul, Softmax, MatMul; head size 8 and batch 1 are controls",
)
def transposed(q: T, k: T, v: T, precision: str, d: int, b: int, s: int) -> T:
    keys = tf.transpose(k, [0, 2, 1])
    scores = tf.nn.softmax(tf.matmul(q, keys, transpose_b=True) * d**-0.5)
    return tf.matmul(scores, v), keys


@case(
    "sdpa-scale-{place}",
    "Attention scaled {place}, head size {d}",
    QKV,
    issues="NVIDIA/TensorRT#4333 NVIDIA/TensorRT#4328",
    points=[
        {"place": "before", "b": 2, "s": 6, "d": 72, "id": "sdpa-107"},
        {"place": "after", "b": 2, "s": 6, "d": 72},
        {"place": "split", "b": 2, "s": 6, "d": 16},
    ],
    structure="the scale stands on q, on the scores, or as a root on q and k",
    needs="MatMul Softmax",
)
def sdpa(q: T, k: T, v: T, place: str, b: int, s: int, d: int) -> T:
    scale = {"before": d**-0.5, "after": 1.0, "split": d**-0.25}[place]
    keys = k * (scale if place == "split" else 1.0)
    scores = tf.matmul(q * scale, keys, transpose_b=True) * (d**-0.5 if place == "after" else 1.0)
    return tf.matmul(tf.nn.softmax(scores), v)


@case("mha-{precision}", "Keras MultiHeadAttention, {precision}", {"x": f32(1, 10, 16)}, precision="{precision}",
      points=[{"precision": "fp16", "id": "mha-fused-sm120"}, {"precision": "bf16"}, {"precision": "fp32"},
              {"precision": "int8", "id": "int8-mha-slower", "tolerance": (0.15, 0.1)}],
      tolerance=(5e-2, 5e-2), issues="NVIDIA/TensorRT#4837 NVIDIA/TensorRT#3243", needs="Softmax")  # fmt: skip
def mha(x: T, precision: str) -> T:
    return built(lambda: keras.layers.MultiHeadAttention(2, 8), x, x)


@case("dyn-transformer-103", "MultiHeadAttention with dynamic batch and length",
      {"x": f32(None, None, 16, profile=[(1, 2, 16), (2, 10, 16), (4, 33, 16)])}, needs="Softmax",
      issues="NVIDIA/TensorRT#4419 NVIDIA/TensorRT#3175", tolerance=(1e-3, 1e-3))  # fmt: skip
def mha_dynamic(x: T) -> T:
    return built(lambda: keras.layers.MultiHeadAttention(2, 8), x, x)


@case("mha-causal", "MultiHeadAttention with a causal mask", {"x": f32(1, 6, 8)}, needs="Softmax")
def mha_causal(x: T) -> T:
    return built(lambda: keras.layers.MultiHeadAttention(2, 4), x, x, use_causal_mask=True)


@case(
    "attention-mask{value}-{precision}",
    "{precision} attention with a mask of {value}",
    {"q": f32(1, 4, 8), "mask": f32(1, 1, 4, values=exactly(1.0, 0.0, 1.0, 0.0))},
    precision="{precision}",
    points=[
        {"value": "-1e12", "precision": "fp16"},
        {"value": "-inf", "precision": "fp32"},
        {"value": "-1e9", "precision": "bf16"},
    ],
    issues="NVIDIA/TensorRT#2466",
    tolerance=(5e-2, 5e-2),
    needs="Softmax",
)
def masked(q: T, mask: T, value: str, precision: str) -> T:
    scores = tf.matmul(q, q, transpose_b=True)
    return tf.matmul(tf.nn.softmax(tf.where(mask > 0.5, scores, float(value))), q)


@case("attention-all-masked", "Attention of a row that is masked throughout", {"q": f32(1, 3, 4)}, needs="Softmax",
      structure="Softmax of minus infinities is NaN")  # fmt: skip
def all_masked(q: T) -> T:
    scores = tf.matmul(q, q, transpose_b=True) + tf.constant([[0.0] * 3, [float("-inf")] * 3, [0.0] * 3])
    return tf.matmul(tf.nn.softmax(scores), q)


@case("attention-cross-lengths", "Cross attention with two dynamic lengths",
      {"q": f32(1, None, 8, profile=[(1, 1, 8), (1, 4, 8), (1, 9, 8)]),
       "kv": f32(1, None, 8, profile=[(1, 2, 8), (1, 7, 8), (1, 16, 8)])}, needs="Softmax")  # fmt: skip
def cross(q: T, kv: T) -> T:
    return tf.matmul(tf.nn.softmax(tf.matmul(q, kv, transpose_b=True)), kv)


@case(
    "attention-grouped-queries",
    "Attention whose keys are shared by two query heads",
    {"q": f32(1, 4, 5, 8), "kv": f32(1, 2, 5, 8)},
    structure="repeat of heads, MatMul, Softmax, MatMul",
    needs="Softmax",
)
def grouped(q: T, kv: T) -> T:
    keys = tf.repeat(kv, 2, axis=1)
    return tf.matmul(tf.nn.softmax(tf.matmul(q, keys, transpose_b=True) * 8**-0.5), keys)


@case(
    "parakeet-sm120",
    "Attention with relative positions: pad, reshape, slice",
    {"q": f32(1, 2, 6, 8)},
    issues="NVIDIA/TensorRT#4822",
    needs="Pad Softmax",
    structure="MatMul, Pad, Reshape, Slice, Reshape, Add, Softmax",
)
def relative(q: T) -> T:
    positions = tf.matmul(q, weights(11, 8), transpose_b=True)  # 1 2 6 11
    shifted = tf.reshape(tf.pad(positions, [[0, 0], [0, 0], [0, 0], [1, 0]]), [1, 2, 12, 6])[:, :, 1:]
    scores = tf.matmul(q, q, transpose_b=True) + tf.reshape(shifted, [1, 2, 6, 11])[..., :6]
    return tf.matmul(tf.nn.softmax(scores), q)


@case(
    "deimv2-fp16-104",
    "fp16 attention block with rotated positions and layer normalisation",
    {"x": f32(1, 6, 16)},
    precision="fp16",
    issues="Intellindust-AI-Lab/DEIMv2#112 NVIDIA/TensorRT#1262",
    tolerance=(5e-2, 5e-2),
    needs="Softmax",
    structure="Split, Neg, Concat, Mul, Add, MatMul, Softmax",
)
def rotary(x: T) -> T:
    y = built(lambda: keras.layers.LayerNormalization(), x)
    first, second = tf.split(y, 2, -1)
    turned = y * tf.cos(weights(6, 16)) + tf.concat([-second, first], -1) * tf.sin(weights(6, 16))
    return x + tf.matmul(tf.nn.softmax(tf.matmul(turned, turned, transpose_b=True) * 0.25), y)


@case(
    "fp16-attention-accumulation",
    "fp16 attention over 1024 positions",
    {"q": f32(1, 1024, 16, values=normal(1.0))},
    precision="fp16",
    issues="NVIDIA/TensorRT/release-notes@11.3",
    tolerance=(5e-2, 5e-2),
    needs="Softmax",
)
def long(q: T) -> T:
    return tf.matmul(tf.nn.softmax(tf.matmul(q, q, transpose_b=True) * 0.25), q)


@case(
    "scaledsoftmax-seqlen-{n}-{precision}",
    "{precision} softmax over {n} values",
    {"x": f32(2, "n")},
    precision="{precision}",
    points=[*grid(n=(128, 129, 385), precision=("fp16",)), {"n": 127, "precision": "fp32"}],
    needs="Softmax",
    issues="NVIDIA/TensorRT#1097 NVIDIA/TensorRT/CHANGELOG@21.03",
)
def softmax_length(x: T, n: int, precision: str) -> T:
    return tf.nn.softmax(x * 3.0)


@case(
    "softmax-axis-{axis}",
    "{name} over axis {axis} of rank 4",
    {"x": f32(2, 3, 4, 5)},
    points=[{"axis": 1, "name": "softmax", "id": "softmax-825-perf"}, {"axis": 2, "name": "log_softmax"}],
    issues="NVIDIA/TensorRT/release-notes@8.2.5",
    needs=lambda name, **_: {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[name],
)
def softmax_axis(x: T, axis: int, name: str) -> T:
    return getattr(tf.nn, name)(x, axis)


@case(
    "softmax-large-values",
    "Softmax of values near 1e4, which must not overflow",
    {"x": f32(2, 5, values=normal(100.0, 1e4))},
    needs="Softmax",
)
def softmax_large(x: T) -> T:
    return tf.nn.softmax(x)
