"""Tests that advice can be acted on: what it names instead converts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import trt_checker
from trtbuild.checker.advice import ONNX, TENSORFLOW, WORDS, advise
from trtbuild.checker.problem import QAT


def winitzki(x: Any) -> Any:
    import tensorflow as tf

    a, log = 0.147, tf.math.log(1 - x * x)
    half = 2 / (3.14159265 * a) + log / 2
    return tf.sign(x) * tf.sqrt(tf.sqrt(half * half - log / a) - half)


def rewrites() -> dict[str, Callable[[Any], Any]]:
    import tensorflow as tf

    ids = tf.constant([0, 0, 1, 1])
    return {
        "Where": lambda x: tf.where(x > 0, x, 0.0),
        "MaxPoolWithArgmax": lambda x: tf.nn.max_pool2d(tf.reshape(x, [1, 4, 8, 1]), 2, 2, "VALID"),
        "TensorScatterAdd": lambda x: x + tf.matmul(tf.one_hot(ids, 4, axis=0), tf.ones([4, 8])),
        "SegmentSum": lambda x: tf.matmul(tf.one_hot(ids, 2, axis=0), x),
        "Bincount": lambda x: tf.reduce_sum(tf.one_hot(tf.cast(x, tf.int32), 5), axis=0),
        "Lgamma": lambda x: (x - 0.5) * tf.math.log(x) - x + 0.9189385 + 1 / (12 * x),
        "Digamma": lambda x: tf.math.log(x) - 1 / (2 * x) - 1 / (12 * x * x),
        "Erfinv": winitzki,
        "LowerBound": lambda x: tf.reduce_sum(tf.cast(tf.range(9.0) < x[0][:, None], tf.int32), axis=-1),
        "ScaleAndTranslate": lambda x: tf.image.resize(tf.reshape(x, [1, 4, 8, 1]), [3, 5], antialias=False),
        "ResizeNearestNeighbor": lambda x: tf.repeat(tf.repeat(tf.reshape(x, [1, 4, 8, 1]), 2, axis=1), 2, axis=2),
        "ResizeArea": lambda x: tf.nn.avg_pool2d(tf.reshape(x, [1, 4, 8, 1]), 2, 2, "VALID"),
        "Bucketize": lambda x: tf.one_hot(tf.reduce_sum(tf.cast(x[..., None] >= [0.5, 1.5], tf.int32), -1), 3),
        "MirrorPad": lambda x: tf.concat([tf.reverse(x[:, :2], [1]), x, tf.reverse(x[:, -2:], [1])], 1),
        "Cumprod": lambda x: tf.exp(tf.cumsum(tf.math.log(x))),
        "FloorMod": lambda x: x - tf.floor(x / 3) * 3,
        "TruncateMod": lambda x: x - tf.cast(tf.cast(x / 3, tf.int32), x.dtype) * 3,
        "TopKV2": lambda x: tf.nn.top_k(tf.reshape(tf.tile(x, [1, 200]), [-1]), 3840)[0],
    }


@pytest.mark.slow
def test_rewrites_convert() -> None:
    """Each by itself, in one process."""
    import tensorflow as tf

    spec = tf.TensorSpec([4, 8], name="x")
    wrong = {op: str(r) for op, rewrite in rewrites().items() if not (r := trt_checker.check(rewrite, spec))}

    assert wrong == {} and rewrites().keys() <= TENSORFLOW.keys()


@pytest.mark.slow
def test_rewrites_compute_the_same() -> None:
    """Where an operation has one that is exact, its borders included."""
    import numpy as np
    import tensorflow as tf

    x = tf.constant(np.float32([[0.0, 0.5, 0.7, 1.5, 9.0, -1.0, np.nextafter(np.float32(0.5), 0), 2.0]] * 4))
    ours = rewrites()
    bucketized = tf.one_hot(tf.raw_ops.Bucketize(input=x, boundaries=[0.5, 1.5]), 3)

    assert np.array_equal(ours["Bucketize"](x), bucketized)
    assert np.array_equal(ours["MirrorPad"](x), tf.pad(x, [[0, 0], [2, 2]], mode="SYMMETRIC"))


@pytest.mark.slow
def test_fake_quantisation_with_other_bits_is_refused_with_its_line() -> None:
    """And with 8 bits it builds in int8, as it does without."""
    import tensorflow as tf

    def network(x: Any, quantise: Callable[[Any], Any]) -> Any:
        kernel = tf.random.stateless_normal([8, 8], [1, 2])
        return quantise(tf.nn.relu(tf.matmul(quantise(x), quantise(kernel))))

    spec = tf.TensorSpec([4, 8], name="x")
    fake = lambda t, bits: tf.quantization.fake_quant_with_min_max_args(t, -1.0, 1.0, bits)  # noqa: E731
    problem, *_ = trt_checker.check(lambda x: network(x, lambda t: fake(t, 4)), spec, precision="int8").errors

    assert problem.op_type == "FakeQuantWithMinMaxArgs" and problem.advice == QAT and problem.line
    assert "quantises to 4 bits" in problem.words
    assert trt_checker.check(lambda x: network(x, lambda t: fake(t, 8)), spec, precision="int8")
    assert trt_checker.check(lambda x: network(x, tf.identity), spec, precision="int8")


@pytest.mark.slow
def test_a_dilated_convolution_builds_as_advised() -> None:
    """Its pads depend on a length that is not known: a fixed one builds, and paddings that need none."""
    import keras

    def checked(padding: str, length: int | None) -> Any:
        convolution = keras.layers.Conv1D(4, 3, dilation_rate=2, padding=padding)
        model = keras.Sequential([keras.Input((length, 4), name="x"), convolution])
        profiles = {"x": ([1, 16, 4], [4, 20, 4], [8, 40, 4])}
        return trt_checker.check(model, profiles=None if length else profiles)

    (problem,) = checked("same", None).errors

    assert problem.op_type == "SpaceToBatchND" and "fixed length" in problem.advice
    assert checked("same", 20) and checked("causal", None) and checked("valid", None)


@pytest.mark.parametrize("table", [TENSORFLOW, ONNX, dict(WORDS)], ids=["tensorflow", "onnx", "words"])
def test_advice_is_a_sentence_to_act_on(table: dict[str, str]) -> None:
    """Short, without a full stop: it follows an arrow."""
    assert all(0 < len(advice) < 120 and not advice.endswith(".") for advice in table.values())


def test_the_words_of_a_tool_come_before_the_operation() -> None:
    """Then TensorFlow's operation, then ONNX's, then what always holds."""
    assert "remainder" in advise("FloorMod", "Mod", "Inputs cannot be floating point types", stage="parse")
    assert advise("FloorMod", "Mod", "", stage="parse") == TENSORFLOW["FloorMod"]
    assert advise("", "Mod", "", stage="parse") == ONNX["Mod"]
    assert "after the engine" in advise("Odd", "Odd", "", stage="build")
