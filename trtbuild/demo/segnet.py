"""Trains the segmentation network on generated street scenes, and writes it with the data for its build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from trtbuild.demo.scenes import CLASSES, HEIGHT_PX, WIDTH_PX, Image, Label, scenes
from trtbuild.demo.segnet_network import Tensor, joined, segnet

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# Seeds of the scenes; the training scenes use --seed.
VALIDATION_SEED: Final = 2001
CALIBRATION_SEED: Final = 3001
VALIDATION_COUNT: Final = 64
CALIBRATION_COUNT: Final = 128
# More held-out scenes than are written, so that the printed score describes the model, not 64 scenes.
HELD_OUT_COUNT: Final = 256

WANTED_MEAN_IOU: Final = 0.85
# Lane marks and pedestrians cover few pixels, and would otherwise be learned last.
CLASS_WEIGHTS: Final = (1.0, 1.0, 1.0, 1.5, 1.2, 1.8)
BATCH_SIZE: Final = 16
LEARNING_RATE: Final = 4e-3


def train(model: keras.Model, image: Image, label: Label, epochs: int) -> None:
    """Fit the model in place on scenes, mirrored at random, with a cosine learning rate that ends at zero."""
    import keras

    steps = epochs * (len(image) // BATCH_SIZE)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # XLA, Keras' default, halved the speed on a CPU: 394 instead of 192 ms per step (TensorFlow 2.21).
        jit_compile=False,
    )
    model.fit(_batches(image, label), epochs=epochs, shuffle=False, verbose=2)


def _batches(image: Image, label: Label) -> tf.data.Dataset:
    """Shuffled batches, half of them mirrored: float32 [16, 96, 160, 3], then label uint8 and weight [16, 96, 160]."""
    import tensorflow as tf

    weights = tf.constant(CLASS_WEIGHTS)

    def prepared(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        mirror = tf.random.uniform(()) < 0.5
        image = tf.where(mirror, image[:, :, ::-1], image)
        label = tf.where(mirror, label[:, :, ::-1], label)
        return tf.cast(image, tf.float32), label, tf.gather(weights, tf.cast(label, tf.int32))

    dataset = tf.data.Dataset.from_tensor_slices((image, label)).shuffle(len(image))
    return dataset.batch(BATCH_SIZE, drop_remainder=True).map(prepared).prefetch(2)


def class_iou(model: keras.Model, image: Image, label: Label) -> npt.NDArray[np.float64]:
    """Intersection over union of each class, over all pixels of all images; float64 [6]."""
    logits = model.predict(image.astype(np.float32), batch_size=BATCH_SIZE, verbose=0)
    pairs = label.astype(np.int64) * len(CLASSES) + logits.argmax(axis=-1)
    counts = np.bincount(pairs.ravel(), minlength=len(CLASSES) ** 2).reshape(len(CLASSES), len(CLASSES))
    both = counts.diagonal()
    iou: npt.NDArray[np.float64] = both / (counts.sum(axis=0) + counts.sum(axis=1) - both)
    return iou


def save(model: keras.Model, folder: Path) -> None:
    """Write a SavedModel with the one signature `serving_default`: `image` in, `logits` out, any batch size."""
    import tensorflow as tf

    # A plain module holds only the weights: Keras' own export would add a second signature, and saving the trained
    # model would add its optimizer.
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    image = tf.TensorSpec((None, HEIGHT_PX, WIDTH_PX, 3), tf.float32, name="image")
    serve = tf.function(lambda image: {"logits": joined(image, partial(_scoped, model))}, input_signature=[image])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def _scoped(model: keras.Model, name: str) -> Callable[..., Tensor]:
    """A part of the model, called for inference under exactly its own name scope."""
    import keras

    part = model.get_layer(name)

    def call(x: Tensor) -> Tensor:
        # Keras 3 enters a layer's scope twice, to build it and to call it, and TensorFlow names the second `head_1`.
        # It does not enter a scope that the layer seems to have opened itself.
        with keras.name_scope(name, caller=part):
            return part(x, training=False)

    return call


def write(folder: Path, model: keras.Model) -> None:
    """Write `saved_model/`, `calibration.npz` and `validation.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / "saved_model")
    calibration, _ = scenes(CALIBRATION_COUNT, CALIBRATION_SEED)
    image, label = scenes(VALIDATION_COUNT, VALIDATION_SEED)
    np.savez_compressed(folder / "calibration.npz", image=calibration)
    np.savez_compressed(folder / "validation.npz", image=image, label=label)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train, score, write; a score below WANTED_MEAN_IOU writes nothing."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m trtbuild.demo.segnet", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("models/segnet"), help="folder to write (%(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training scenes (%(default)s)")
    parser.add_argument("--scenes", type=int, default=3000, help="number of training scenes (%(default)s)")
    parser.add_argument("--seed", type=int, default=1001, help="of weights, batches and training scenes (%(default)s)")
    options = parser.parse_args(arguments)

    import keras

    keras.utils.set_random_seed(options.seed)
    model = segnet()
    train(model, *scenes(options.scenes, options.seed), options.epochs)
    iou = class_iou(model, *scenes(HELD_OUT_COUNT, VALIDATION_SEED))
    print(f"{model.count_params()} parameters, {HELD_OUT_COUNT} held-out scenes")
    for name, value in zip((*CLASSES, "mean"), (*iou, iou.mean()), strict=True):
        print(f"IoU {name:<11} {value:.4f}")
    if iou.mean() < WANTED_MEAN_IOU:
        raise SystemExit(
            f"mean IoU {iou.mean():.4f} is below {WANTED_MEAN_IOU}: nothing written; train for more epochs"
        )
    write(options.output, model)


if __name__ == "__main__":
    main()
