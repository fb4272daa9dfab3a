"""Draws smooth colour images for models with random weights, from nothing but the size of their input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trtbuild.demo.noise import Floats, smooth_field

Image = npt.NDArray[np.uint8]

# Cells along the short side of each noise grid. Nothing finer: an image without pixel noise compresses well.
OCTAVES: Final = (2, 4, 8, 16)
SHAPES_PER_IMAGE: Final = 5
# Spacing of the levels of a channel: less than any model here can distinguish, and it halves the files.
LEVEL_STEP: Final = 4


class Data(NamedTuple):
    """The images for one model: `calibration` + `validation` square images of `side_px`."""

    model: str
    side_px: int
    calibration: int
    validation: int
    seed: int


DATA: Final = (
    Data("mobilenet_v2", side_px=224, calibration=16, validation=16, seed=2241),
    Data("inception_v3", side_px=299, calibration=8, validation=8, seed=2991),
)


def smooth_images(count: int, height: int, width: int, seed: int) -> Image:
    """Draw images of blurred colour fields with a few plain shapes.

    Returns uint8 [count, height, width, 3]. Image i depends on (seed, i) only, so a longer batch starts with the
    shorter one.
    """
    images = np.empty((count, height, width, 3), np.uint8)
    for index in range(count):
        images[index] = _smooth_image(height, width, np.random.default_rng((seed, index)))
    return images


def _smooth_image(height: int, width: int, rng: np.random.Generator) -> Image:
    """One image, uint8 [height, width, 3]."""
    # Brightness and contrast differ between images: a batch of equal histograms would calibrate too narrow a range.
    level, contrast = np.float32(rng.uniform(70, 185)), np.float32(rng.uniform(40, 110))
    canvas = level + contrast * smooth_field(height, width, 3, OCTAVES, rng)
    for _ in range(SHAPES_PER_IMAGE):
        canvas = _with_shape(canvas, rng)
    steps: Image = (np.clip(canvas, 0, 255) / LEVEL_STEP).astype(np.uint8)
    return steps * np.uint8(LEVEL_STEP)


def _with_shape(canvas: Floats, rng: np.random.Generator) -> Floats:
    """The canvas with one rotated ellipse or rectangle on it, in a single, partly transparent colour."""
    height, width, _ = canvas.shape
    y, x = np.mgrid[0:height, 0:width]
    angle = rng.uniform(0, np.pi)
    dy, dx = y - rng.uniform(0, height), x - rng.uniform(0, width)
    along = (dx * np.cos(angle) + dy * np.sin(angle)) / (rng.uniform(0.06, 0.3) * width)
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / (rng.uniform(0.06, 0.3) * height)
    is_ellipse = rng.random() < 0.5
    inside = along**2 + across**2 < 1 if is_ellipse else np.maximum(abs(along), abs(across)) < 1
    opacity: Floats = np.float32(rng.uniform(0.5, 1.0)) * inside[..., None]
    return canvas * (1 - opacity) + rng.uniform(0, 255, 3).astype(np.float32) * opacity


def write(models: Path, data: Data) -> tuple[Path, Path]:
    """Write `calibration.npz` and `validation.npz` of one model; key `image`, uint8 [count, side_px, side_px, 3]."""
    images = smooth_images(data.calibration + data.validation, data.side_px, data.side_px, data.seed)
    folder = models / data.model
    folder.mkdir(parents=True, exist_ok=True)
    calibration, validation = folder / "calibration.npz", folder / "validation.npz"
    np.savez_compressed(calibration, image=images[: data.calibration])
    np.savez_compressed(validation, image=images[data.calibration :])
    return calibration, validation


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write the images of every model in DATA."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m trtbuild.demo.inputs", description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of the models (%(default)s)")
    options = parser.parse_args(arguments)
    for data in DATA:
        for path in write(options.models, data):
            print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
