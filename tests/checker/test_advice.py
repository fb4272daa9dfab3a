"""Tests that advice can be acted on: what it names instead converts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import trt_checker
from trtbuild.checker.advice import ONNX, TENSORFLOW, advise


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


@pytest.mark.parametrize("table", [TENSORFLOW, ONNX], ids=["tensorflow", "onnx"])
def test_advice_is_a_sentence_to_act_on(table: dict[str, str]) -> None:
    """Short, without a full stop: it stands behind an arrow."""
    assert all(0 < len(advice) < 120 and not advice.endswith(".") for advice in table.values())


def test_the_words_of_a_tool_come_before_the_operation() -> None:
    """Then TensorFlow's operation, then ONNX's, then what always holds."""
    assert "remainder" in advise("FloorMod", "Mod", "Inputs cannot be floating point types", stage="parse")
    assert advise("FloorMod", "Mod", "", stage="parse") == TENSORFLOW["FloorMod"]
    assert advise("", "Mod", "", stage="parse") == ONNX["Mod"]
    assert "behind the engine" in advise("Odd", "Odd", "", stage="build")
