"""Tests of how random weights are fitted to patches; none of them needs TensorFlow."""

from __future__ import annotations

import numpy as np

from trtbuild.demo import kernels


def _rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_grid_hides_rounding_errors() -> None:
    """Values that differ in the last bits only become the same."""
    values = _rng().normal(size=1000)

    np.testing.assert_array_equal(kernels.on_grid(values), kernels.on_grid(values * (1 + 1e-13)))


def test_scale_stays_within_a_step() -> None:
    """A scale moves by half a step of 2**(1/16) at most, whatever its size."""
    values = np.geomspace(1e-6, 1e6, 1000)

    assert np.abs(np.log2(kernels.scale_on_grid(values) / values)).max() <= 0.5 / kernels.GRID + 1e-9


def test_patches_are_centred_and_exact() -> None:
    """Patches have the kernel's size, mean near 0, and are multiples of 1/16 of their unit."""
    patches, unit = kernels.patches_of(5 + 3 * _rng().normal(size=(4, 9, 8, 2)), (3, 1), (1, 1), _rng())

    assert patches.shape == (kernels.PATCH_COUNT, 3, 1, 2)
    assert abs(patches.mean()) < 0.05
    assert 2 < unit < 4
    np.testing.assert_array_equal(patches * kernels.GRID, np.round(patches * kernels.GRID))


def test_patches_of_a_small_input_are_padded() -> None:
    """A kernel may be larger than its input, as in the last layers of a small probe image."""
    patches, _ = kernels.patches_of(_rng().normal(size=(4, 1, 2, 3)), (3, 3), (1, 1), _rng())

    assert patches.shape == (kernels.PATCH_COUNT, 3, 3, 3)


def test_dilated_patches_skip_pixels() -> None:
    """A dilated kernel sees every second pixel: of an input that alternates, only one kind."""
    x = np.zeros((2, 12, 12, 1))
    x[:, :, ::2] = 1
    patches, _ = kernels.patches_of(x, (1, 3), (1, 2), _rng())

    assert np.ptp(patches, axis=2).max() == 0


def test_patches_of_a_vector_are_the_vector() -> None:
    """A Dense layer's input [n, channels] is an image of one pixel."""
    patches, _ = kernels.patches_of(_rng().normal(size=(4, 10)), (1, 1), (1, 1), _rng())

    assert patches.shape == (kernels.PATCH_COUNT, 1, 1, 10)


def test_a_dead_input_gives_finite_patches() -> None:
    """A constant input is centred to zero, and not divided by zero."""
    patches, unit = kernels.patches_of(np.ones((2, 4, 4, 1)), (1, 1), (1, 1), _rng())

    assert not patches.any()
    assert unit > 0
