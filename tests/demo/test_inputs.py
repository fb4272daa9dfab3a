"""Tests of the smooth images and of the files made of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from trtbuild.demo import inputs
from trtbuild.demo.inputs import Data, smooth_images


def test_shape_and_type() -> None:
    """Height and width are in this order, and may differ."""
    images = smooth_images(2, 20, 30, seed=1)

    assert images.shape == (2, 20, 30, 3)
    assert images.dtype == np.uint8


def test_same_seed_draws_same_images() -> None:
    """A shorter batch of the same seed is the beginning of the longer one."""
    np.testing.assert_array_equal(smooth_images(2, 32, 32, seed=1), smooth_images(4, 32, 32, seed=1)[:2])


def test_images_of_a_batch_differ() -> None:
    """Neither another index nor another seed draws the same image."""
    images = np.concatenate([smooth_images(4, 32, 32, seed) for seed in (1, 2)])

    assert len({image.tobytes() for image in images}) == 8


def test_neighbouring_pixels_are_alike() -> None:
    """Images are smooth: a step to the right changes little compared with the image's contrast."""
    images = smooth_images(4, 96, 96, seed=1).astype(np.float64)

    assert np.abs(np.diff(images, axis=2)).mean() < images.std() / 5


def test_files_hold_one_split(tmp_path: Path) -> None:
    """Calibration and validation are different images of one seed, under the key `image`."""
    paths = inputs.write(tmp_path, Data("tiny", side_px=16, calibration=3, validation=2, seed=1))

    calibration, validation = (np.load(path)["image"] for path in paths)

    assert [path.name for path in paths] == ["calibration.npz", "validation.npz"]
    np.testing.assert_array_equal(np.concatenate([calibration, validation]), smooth_images(5, 16, 16, seed=1))


def test_drawing_needs_numpy_only() -> None:
    """Scenes and images are drawn without what only training needs."""
    script = "import sys, trtbuild.demo.inputs, trtbuild.demo.scenes; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()

    assert not {"tensorflow", "keras", "sklearn", "scipy"} & set(loaded)
