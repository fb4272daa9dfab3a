"""Turns painted colours into what a camera records: light, shade, blur and noise; classes do not change."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trtbuild.demo.noise import smooth_field
from trtbuild.demo.street.canvas import HEIGHT_PX, WIDTH_PX, Floats


def photographed(image: Floats, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Expose float32 [96, 160, 3] in 0..255; returns uint8 of the same shape."""
    light = _shade(image, rng)
    light = _blurred(light, np.float32(rng.uniform(0, 0.35)))
    light = _exposed(light, rng)
    # Grey noise, not coloured: sensors have both, but coloured noise would hardly compress.
    noise = rng.standard_normal((HEIGHT_PX, WIDTH_PX, 1), dtype=np.float32) * np.float32(rng.uniform(0.5, 3.5))
    return np.clip(np.round(light + noise), 0, 255).astype(np.uint8)


def _shade(image: Floats, rng: np.random.Generator) -> Floats:
    """Uneven daylight, and sometimes the slanting shadow of something outside the picture."""
    light = 1 + np.float32(rng.uniform(0, 0.15)) * smooth_field(HEIGHT_PX, WIDTH_PX, 1, (2, 4), rng)
    if rng.random() < 0.5:
        y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
        offset = x + rng.uniform(-1.5, 1.5) * y - rng.uniform(0, WIDTH_PX)
        band = (abs(offset) < rng.uniform(6, 45)) & (y > rng.uniform(35, 60))
        light = light * np.where(band, np.float32(rng.uniform(0.5, 0.8)), np.float32(1))[..., None]
    return image * light


def _blurred(image: Floats, weight: np.float32) -> Floats:
    """Mix every pixel with its four neighbours, which share `weight`; borders repeat."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    neighbours = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return image * (1 - weight) + neighbours * (weight / 4)


def _exposed(image: Floats, rng: np.random.Generator) -> Floats:
    """Gain, gamma and a colour cast."""
    cast = rng.uniform(0.92, 1.08, 3).astype(np.float32)
    bright = np.clip(image / 255 * np.float32(rng.uniform(0.55, 1.15)) * cast, 0, None)
    return 255 * bright ** np.float32(rng.uniform(0.8, 1.3))
