"""Trains LeNet-5 on scikit-learn's digits, and writes it with the data for its build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

SIDE_PX: Final = 28
CLASSES: Final = 10
# The digits are 8x8 with grey levels 0..16; three screen pixels for each leave the two-pixel border of LeCun's 28x28.
PIXEL_REPEAT: Final = 3
BORDER_PX: Final = 2
GREY_LEVELS: Final = 16
CALIBRATION_COUNT: Final = 128
HELD_OUT_FRACTION: Final = 0.25
WANTED_TOP1: Final = 0.97

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


class Digits(NamedTuple):
    """Images uint8 [n, 28, 28, 1] in 0..255 and labels int64 [n], split once."""

    train_image: Images
    train_label: Labels
    held_out_image: Images
    held_out_label: Labels


def enlarged(digits: npt.NDArray[np.float64]) -> Images:
    """Enlarge digits [n, 8, 8] with levels 0..16 to uint8 [n, 28, 28, 1] with levels 0..255."""
    levels = np.round(digits * (255 / GREY_LEVELS)).astype(np.uint8)
    large = levels.repeat(PIXEL_REPEAT, axis=1).repeat(PIXEL_REPEAT, axis=2)
    return np.pad(large, ((0, 0), (BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX)))[..., None]


def load_digits(seed: int) -> Digits:
    """The 1797 digits that come with scikit-learn, split with equal class shares; nothing is downloaded."""
    from sklearn import datasets, model_selection

    bunch = datasets.load_digits()
    train_image, held_out_image, train_label, held_out_label = model_selection.train_test_split(
        enlarged(bunch.images),
        bunch.target.astype(np.int64),
        test_size=HELD_OUT_FRACTION,
        random_state=seed,
        stratify=bunch.target,
    )
    return Digits(train_image, train_label, held_out_image, held_out_label)


def lenet5() -> keras.Model:
    """LeNet-5: input `image` float32 [n, 28, 28, 1] in 0..255, output `logits` float32 [n, 10].

    The layers of LeCun et al., "Gradient-based learning applied to document recognition" (1998), with two usual
    changes: C3 sees all maps of S2, and the output is affine instead of radial basis functions.
    """
    import keras
    from keras import layers

    image = keras.Input((SIDE_PX, SIDE_PX, 1), name="image")
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    x = layers.Conv2D(6, 5, padding="same", activation="tanh", name="c1")(x)
    x = layers.AveragePooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="tanh", name="c3")(x)
    x = layers.AveragePooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="tanh", name="c5")(x)
    x = layers.Dense(84, activation="tanh", name="f6")(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x), name="lenet5")


def train(model: keras.Model, digits: Digits, epochs: int) -> None:
    """Fit the model in place, with Adam and a cosine learning rate that ends at zero."""
    import keras

    batch_size = 32
    steps = epochs * -(-len(digits.train_image) // batch_size)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(digits.train_image.astype(np.float32), digits.train_label, batch_size, epochs, verbose=0)


def top1(model: keras.Model, image: Images, label: Labels) -> float:
    """Share of images whose largest logit is that of their label."""
    logits = model.predict(image.astype(np.float32), verbose=0)
    return float(np.mean(logits.argmax(axis=1) == label))


def write(folder: Path, model: keras.Model, digits: Digits) -> None:
    """Write `lenet.keras`, `calibration.npz` (from the training digits) and `validation.npz` (all held-out digits)."""
    folder.mkdir(parents=True, exist_ok=True)
    # A fresh model: the trained one and its clones (Keras 3.15) would save their optimizer, too.
    clean = lenet5()
    clean.set_weights(model.get_weights())
    clean.save(folder / "lenet.keras")
    np.savez_compressed(folder / "calibration.npz", image=digits.train_image[:CALIBRATION_COUNT])
    np.savez_compressed(folder / "validation.npz", image=digits.held_out_image, label=digits.held_out_label)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train, score, write; a score below WANTED_TOP1 writes nothing."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m trtbuild.demo.lenet", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("models/lenet"), help="folder to write (%(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training digits (%(default)s)")
    parser.add_argument("--seed", type=int, default=5, help="of weights, split and batches (%(default)s)")
    options = parser.parse_args(arguments)

    import keras

    keras.utils.set_random_seed(options.seed)
    digits = load_digits(options.seed)
    model = lenet5()
    train(model, digits, options.epochs)
    score = top1(model, digits.held_out_image, digits.held_out_label)
    print(f"{model.count_params()} parameters, top-1 {score:.4f} on {len(digits.held_out_label)} held-out digits")
    if score < WANTED_TOP1:
        raise SystemExit(f"top-1 {score:.4f} is below {WANTED_TOP1}: nothing written; train for more epochs")
    write(options.output, model, digits)


if __name__ == "__main__":
    main()
