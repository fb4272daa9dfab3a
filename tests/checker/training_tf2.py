"""A training script; with the word "check" it is checked first.  Prints the loss curve, exactly, and more state."""

from __future__ import annotations

import random
import sys

import keras
import numpy as np
import tensorflow as tf

CHECK, STRATEGY = "check" in sys.argv, "strategy" in sys.argv
LATE = "late" in sys.argv  # a model whose variables are made by the training itself, from the global generators


class Late(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = keras.layers.Dense(16, activation="relu")
        self.drop = keras.layers.Dropout(0.5)
        self.scores = keras.layers.Dense(3, name="scores")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.scores(self.drop(self.hidden(x), training=training))


def functional() -> keras.Model:
    inputs = keras.Input((8,), name="x")
    x = keras.layers.Dense(16, activation="relu")(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(3, name="scores")(x))


def main() -> None:
    random.seed(1)
    np.random.seed(2)
    tf.random.set_seed(3)
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"]) if STRATEGY else tf.distribute.get_strategy()
    with strategy.scope():
        model = Late() if LATE else functional()
        model.compile("adam", "mse", jit_compile=False)
        if CHECK:
            import trt_checker

            specs = tf.TensorSpec([None, 8], name="x") if LATE else None
            assert trt_checker.check(model, specs, raise_on_error=True)
        callbacks = [trt_checker.TrtCheck(abort=True, raise_on_error=True)] if CHECK else []
        x, y = np.random.normal(size=(64, 8)).astype(np.float32), np.random.normal(size=(64, 3)).astype(np.float32)
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    print([loss.hex() for loss in history.history["loss"]])
    print(random.random().hex(), float(np.random.random()).hex(), float(tf.random.uniform([])).hex())
    print(keras.layers.Dense(2).name, [layer.name for layer in model.layers])


main()
