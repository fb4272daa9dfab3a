"""Writes small TensorFlow models of many kinds into a folder; run as a script, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def main(folder: Path) -> None:
    keras.utils.set_random_seed(1)
    recurrent(folder)
    two_inputs(folder)
    attention(folder)
    frozen_graph(folder)
    defaults(folder)
    old_loop(folder)
    trouble(folder)


def recurrent(folder: Path) -> None:
    layers = [keras.Input((12, 6), name="sequence"), keras.layers.LSTM(8), keras.layers.Dense(3, name="scores")]
    keras.Sequential(layers).export(str(folder / "lstm"), verbose=False)


def two_inputs(folder: Path) -> None:
    image, meta = keras.Input((16, 16, 3), name="image"), keras.Input((4,), name="meta")
    features = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(image)
    features = keras.layers.Conv2D(8, 3, groups=2, activation="hard_sigmoid")(features)
    joined = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(features), meta])
    outputs = {"score": keras.layers.Dense(3, name="score")(joined), "box": keras.layers.Dense(4, name="box")(joined)}
    model = keras.Model({"image": image, "meta": meta}, outputs)
    model.export(str(folder / "two_inputs"), verbose=False)
    model.save(folder / "two_inputs.keras")
    model.save(folder / "two_inputs.h5")


def attention(folder: Path) -> None:
    tokens = keras.Input((10,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(20, 16)(tokens)
    x = keras.layers.LayerNormalization()(x + keras.layers.MultiHeadAttention(2, 8)(x, x))
    keras.Model(tokens, keras.layers.Dense(5, activation="gelu", name="out")(x)).save(folder / "attention.keras")


def frozen_graph(folder: Path) -> None:
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, 12, 12, 3], name="net/image")
        kernel = tf.constant(rng.normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32))
        features = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME", dilations=2), name="net/features")
        pooled = tf.reduce_mean(features, [1, 2])
        tf.matmul(pooled, tf.constant(rng.normal(0, 0.3, (8, 3)).astype(np.float32)), name="net/scores")
    (folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())


def defaults(folder: Path) -> None:
    """As of TensorFlow 1: a default in the middle of the network, one that chooses a branch, and a scalar to be fed."""
    rng = np.random.default_rng(0)
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, 12, 12, 3], name="image")
        training = v1.placeholder_with_default(False, [], "is_training")
        gain = v1.placeholder(tf.float32, [], "gain")
        kernel = tf.constant(rng.normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32))
        features = tf.nn.conv2d(image, kernel, 1, "SAME", name="conv")
        features = tf.cond(training, lambda: features - tf.reduce_mean(features), lambda: tf.nn.relu(features))
        pooled = v1.placeholder_with_default(tf.reduce_mean(features, [1, 2]), [None, 8], "pooled")
        weights = tf.constant(rng.normal(0, 0.3, (8, 3)).astype(np.float32), name="weights")
        tf.multiply(tf.matmul(pooled, weights), gain, name="scores")
    (folder / "defaults.pb").write_bytes(graph.as_graph_def().SerializeToString())


class Lstm:
    """A cell as TensorFlow 1 wrote it."""

    state_size, output_size, dtype = (8, 8), 8, tf.float32

    def zero_state(self, batch: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.zeros([batch, 8], dtype), tf.zeros([batch, 8], dtype)

    get_initial_state = lambda self, inputs=None, batch_size=None, dtype=None: self.zero_state(batch_size, dtype)  # noqa: E731

    def __call__(self, x: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor], scope: str | None = None) -> object:
        kernel = np.random.default_rng(0).normal(0, 0.4, (int(x.shape[1]) + 8, 32)).astype(np.float32)
        i, j, f, o = tf.split(tf.nn.bias_add(tf.matmul(tf.concat([x, state[1]], 1), kernel), tf.zeros([32])), 4, 1)
        c = state[0] * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        h = tf.tanh(c) * tf.sigmoid(o)
        return h, (c, h)


def old_loop(folder: Path) -> None:
    """``dynamic_rnn``: a loop of Enter, Switch, Merge and Exit, in a frozen graph and in a SavedModel."""
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 12, 5], "x")
        sequence, (_, last) = v1.nn.dynamic_rnn(Lstm(), x, dtype=tf.float32)
        outputs = {"last": tf.identity(last, "last"), "sequence": tf.identity(sequence, "sequence")}
        v1.saved_model.simple_save(session, str(folder / "old_loop"), {"x": x}, outputs)
    (folder / "old_loop.pb").write_bytes(graph.as_graph_def().SerializeToString())
    v1.enable_control_flow_v2()


class Trouble(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([1, 16, 16, 3], name="image"), tf.TensorSpec([2, 4], name="boxes")])
    def crash(self, image: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"crops": tf.image.crop_and_resize(image, boxes, tf.zeros([2], tf.int32), [8, 8])}

    @tf.function(input_signature=[tf.TensorSpec([None, 8], name="x")])
    def unsupported(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.name_scope("decoder"):
            return {"y": tf.math.lgamma(x) + tf.math.bessel_i0(x)}

    @tf.function(input_signature=[tf.TensorSpec([1, 8, 8, 3], name="x")])
    def refused(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.name_scope("head"):
            unique = tf.unique(tf.reshape(tf.cast(x * 10, tf.int32), [-1])).y
            pooled, _ = tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")
            scattered = tf.tensor_scatter_nd_add(x, [[0, 0, 0, 0]], [1.0])
        return {"y": tf.cast(tf.reduce_sum(unique), tf.float32) + pooled, "z": scattered}


def trouble(folder: Path) -> None:
    module = Trouble()
    for name in ("crash", "unsupported", "refused"):
        tf.saved_model.save(module, str(folder / name), signatures={"serving_default": getattr(module, name)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
