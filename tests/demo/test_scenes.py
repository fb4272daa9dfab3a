"""Tests of the generated street scenes."""

from __future__ import annotations

import numpy as np
import pytest

from trtbuild.demo.scenes import CLASSES, HEIGHT_PX, WIDTH_PX, Image, Label, scene, scenes


@pytest.fixture(scope="module")
def batch() -> tuple[Image, Label]:
    """Sixteen scenes, drawn once."""
    return scenes(16, seed=1)


def test_shapes_and_types(batch: tuple[Image, Label]) -> None:
    """Images and labels have the size of the canvas, and are bytes."""
    image, label = batch

    assert image.shape == (16, HEIGHT_PX, WIDTH_PX, 3)
    assert label.shape == (16, HEIGHT_PX, WIDTH_PX)
    assert image.dtype == label.dtype == np.uint8


def test_same_seed_draws_same_scenes(batch: tuple[Image, Label]) -> None:
    """A shorter batch of the same seed is the beginning of the longer one."""
    image, label = scenes(3, seed=1)

    np.testing.assert_array_equal(image, batch[0][:3])
    np.testing.assert_array_equal(label, batch[1][:3])


def test_other_seed_draws_other_scenes(batch: tuple[Image, Label]) -> None:
    """No scene is shared between seeds, so that held-out scenes are held out."""
    image, _ = scenes(16, seed=2)

    assert not {one.tobytes() for one in image} & {one.tobytes() for one in batch[0]}


def test_every_class_covers_some_pixels(batch: tuple[Image, Label]) -> None:
    """Each class has at least one pixel in two hundred; there is no other class."""
    shares = np.bincount(batch[1].ravel(), minlength=len(CLASSES)) / batch[1].size

    assert len(shares) == len(CLASSES)
    assert shares.min() > 0.005


def test_sky_is_above_the_road(batch: tuple[Image, Label]) -> None:
    """Sky fills most of the first row, and there is none in the last."""
    sky = batch[1] == CLASSES.index("sky")

    assert sky[:, 0].mean() > 0.5
    assert not sky[:, -1].any()


def test_exposure_varies_and_stays_in_range(batch: tuple[Image, Label]) -> None:
    """Scenes differ in brightness, and few pixels are clipped."""
    image, _ = batch

    assert np.ptp(image.mean(axis=(1, 2, 3))) > 30
    assert np.isin(image, (0, 255)).mean() < 0.1


def test_scene_takes_all_its_randomness_from_the_generator() -> None:
    """Two generators in the same state draw the same scene."""
    first, second = (scene(np.random.default_rng(9)) for _ in range(2))

    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
