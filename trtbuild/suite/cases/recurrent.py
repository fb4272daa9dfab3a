"""Recurrent cells: direction, states, masks, activations, dynamic lengths; tf2onnx makes LSTM, GRU or Loop of them."""

from __future__ import annotations

from trtbuild.suite import T, built, case, f32, grid, keras, tf

SEQUENCE = {"x": f32(2, 5, 4)}
TOLERANCE = (1e-3, 1e-3)


@case(
    "{cell}-{form}",
    "Keras {cell}, {form}",
    SEQUENCE,
    tolerance=TOLERANCE,
    points=[
        *grid(cell=("LSTM", "GRU", "SimpleRNN"), form=("sequences",)),
        {"cell": "LSTM", "form": "last"},
        {"cell": "LSTM", "form": "unrolled", "id": "lstm-ort-mismatch-7"},
        {"cell": "GRU", "form": "unrolled"},
    ],
    issues="NVIDIA/TensorRT#1177",
    needs=lambda cell, form: "Tanh" if form == "unrolled" else "LSTM" if cell == "LSTM" else "Loop",
)
def cell(x: T, cell: str, form: str) -> T:
    return built(lambda: getattr(keras.layers, cell)(3, return_sequences=form != "last", unroll=form == "unrolled"), x)


@case(
    "lstm-keras-loop-myelin",
    "Convolution for each frame, then an LSTM",
    {"x": f32(1, 8, 6, 6, 1)},
    tolerance=TOLERANCE,
    issues="NVIDIA/TensorRT#1081",
    structure="TimeDistributed Conv, Reshape, LSTM",
    needs="Conv Loop",
)
def frames(x: T) -> T:
    y = tf.reshape(x, [8, 6, 6, 1])
    y = built(lambda: keras.layers.Conv2D(2, 3, strides=2), y)
    return built(lambda: keras.layers.LSTM(6), tf.reshape(y, [1, 8, 8]))


@case("lstm-states", "LSTM that returns its states", SEQUENCE, tolerance=TOLERANCE, needs="LSTM")
def states(x: T) -> T:
    return built(lambda: keras.layers.LSTM(3, return_sequences=True, return_state=True), x)


@case("lstm-initial-state", "LSTM started from given states", {"x": f32(2, 5, 4), "h": f32(2, 3), "c": f32(2, 3)},
      tolerance=TOLERANCE, needs="LSTM")  # fmt: skip
def initial(x: T, h: T, c: T) -> T:
    return built(lambda: keras.layers.LSTM(3), x, initial_state=[h, c])


@case("lstm-go-backwards", "LSTM over the reversed sequence", SEQUENCE, tolerance=TOLERANCE,
      issues="onnx/onnx#2881 microsoft/onnxruntime#4187", needs="LSTM ReverseSequence")  # fmt: skip
def backwards(x: T) -> T:
    return built(lambda: keras.layers.LSTM(3, go_backwards=True, return_sequences=True), x)


@case("bi{cell}-{merge}", "Bidirectional {cell}, outputs by {merge}", SEQUENCE, tolerance=TOLERANCE,
      points=[{"cell": "LSTM", "merge": "concat", "id": "bilstm-onnx-mismatch"}, {"cell": "GRU", "merge": "sum"}],
      issues="NVIDIA/TensorRT#1649", needs=lambda cell, **_: "LSTM" if cell == "LSTM" else "Loop")  # fmt: skip
def bidirectional(x: T, cell: str, merge: str) -> T:
    make = getattr(keras.layers, cell)
    return built(lambda: keras.layers.Bidirectional(make(3, return_sequences=True), merge_mode=merge), x)


@case("bilstm-activations-differ", "Bidirectional LSTM with hard sigmoid one way", SEQUENCE, tolerance=TOLERANCE,
      issues="NVIDIA/TensorRT#1417", needs="LSTM Loop")  # fmt: skip
def activations(x: T) -> T:
    there = keras.layers.LSTM
    return built(lambda: keras.layers.Bidirectional(
        there(3, return_sequences=True), backward_layer=there(
            3, return_sequences=True, go_backwards=True, recurrent_activation="hard_sigmoid")), x)  # fmt: skip


@case("gru-reset-before", "GRU with the reset gate before the product", SEQUENCE, tolerance=TOLERANCE, needs="Loop")
def reset_before(x: T) -> T:
    return built(lambda: keras.layers.GRU(3, reset_after=False, return_sequences=True), x)


@case("lstm-dynamic-length", "LSTM over a dynamic length and batch", tolerance=TOLERANCE,
      inputs={"x": f32(None, None, 4, profile=[(1, 1, 4), (2, 5, 4), (4, 12, 4)])}, needs="LSTM")  # fmt: skip
def dynamic(x: T) -> T:
    return built(lambda: keras.layers.LSTM(3, return_sequences=True), x)


@case(
    "lstm-masked",
    "LSTM with a mask of the sequence",
    {"x": f32(2, 5, 4), "keep": f32(2, 5)},
    tolerance=TOLERANCE,
    needs="Loop",
)
def masked(x: T, keep: T) -> T:
    return built(lambda: keras.layers.LSTM(3), x, mask=keep > 0.0)


@case(
    "lstm-{precision}",
    "{precision} LSTM",
    SEQUENCE,
    precision="{precision}",
    points=grid(precision=("fp16", "bf16")),
    tolerance=(5e-2, 5e-2),
    needs="LSTM",
)
def low(x: T, precision: str) -> T:
    return built(lambda: keras.layers.LSTM(3), x)


@case("lstm-two-layers", "Two LSTM layers and a dense head", SEQUENCE, tolerance=TOLERANCE,
      structure="Loop, Loop, MatMul", needs="LSTM Gemm")  # fmt: skip
def stacked(x: T) -> T:
    y = built(lambda: keras.layers.LSTM(4, return_sequences=True), x)
    return built(lambda: keras.layers.Dense(2), built(lambda: keras.layers.LSTM(3), y))


@case(
    "convlstm2d",
    "Convolutional LSTM",
    {"x": f32(1, 3, 5, 5, 2)},
    tolerance=TOLERANCE,
    structure="Conv inside a Loop",
    needs="Loop",
)
def convolutional(x: T) -> T:
    return built(lambda: keras.layers.ConvLSTM2D(2, 3, padding="same"), x)
