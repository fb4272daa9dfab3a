"""Fits the kernels of a layer with random weights to patches of its own input, so that signal outweighs noise."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

PATCH_COUNT: Final = 64
# Share (of the standard deviation) of a kernel that is a mixture of its own input's patches; the rest is noise. 0 is a
# chaotic network: 1 % of noise after MobileNetV2's first convolution changes its logits by 100 %.
ALIGNMENT: Final = 0.8
# Directions of the patches weaker than this (in mean variances) are mixed in with less weight. At 1, InceptionV3's
# logits vary in one direction only; at 0.1, int8 brings MobileNetV2 (seed 3) to cosine 0.97 instead of 0.99.
WHITENING_FLOOR: Final = 0.3

# Spread (sigma of the logarithm) of the scale of output channels.
CHANNEL_SIGMA: Final = 0.4
# Measured numbers are put on this grid: multiples of 1/16 for shifts, powers of 2**(1/16) for scales.
GRID: Final = 16
# Keeps a constant (dead) input from a division by zero.
TINY: Final = 1e-6

Floats = npt.NDArray[np.float64]


def patches_of(
    x: Floats, size: tuple[int, int], dilation: tuple[int, int], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """PATCH_COUNT centred pieces [count, *size, channels] of `x` [n, height, width, channels] or [n, channels]."""
    if x.ndim == 2:
        x = x[:, None, None, :]
    (row_step, column_step), (height, width) = dilation, size
    reach = ((height - 1) * row_step + 1, (width - 1) * column_step + 1)
    missing = [max(0, wanted - have) for wanted, have in zip(reach, x.shape[1:3], strict=True)]
    if any(missing):
        x = np.pad(x, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))[..., ::row_step, ::column_step]
    count, rows, columns = windows.shape[:3]
    image = np.arange(PATCH_COUNT) % count
    chosen = windows[image, rng.integers(rows, size=PATCH_COUNT), rng.integers(columns, size=PATCH_COUNT)]
    return centred(chosen.transpose(0, 2, 3, 1))


def centred(patches: Floats) -> tuple[Floats, Floats]:
    """The difference from the mean patch in units of its standard deviation, and that unit.

    Values on the grid make sums of products exact, so that kernels do not depend on the order of summation.
    """
    difference = patches - patches.mean(axis=0)
    unit = scale_on_grid(difference.std() + TINY)
    return on_grid(difference / unit), unit


def _mixture(patches: Floats, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Random weights [patches, *shape] of patches [count, values], which make all strong directions count alike."""
    # Without whitening the strongest direction of a layer wins again in the next one, like in power iteration, and
    # after some layers all images are the same up to one number. A function of the Gram matrix, and not its
    # eigenvectors, because these have no sign.
    import keras

    strength, direction = (np.asarray(part) for part in keras.ops.eigh(product(patches, patches.T)))
    strength = np.maximum(strength, 0) * len(patches) / (strength.sum() + TINY)
    whitening = product(direction * (strength + WHITENING_FLOOR) ** -0.5, direction.T)
    weights = product(whitening, rng.standard_normal((len(patches), int(np.prod(shape)))))
    return on_grid(weights * GRID).reshape(-1, *shape) / GRID


def mixed_kernel(patches: Floats, outputs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Kernel [values, outputs] for patches [count, values], and its response [count, outputs] to them."""
    fitted = product(patches.T, _mixture(patches, (outputs,), rng))
    kernel = _noisy(fitted, 0, rng)
    response = product(patches, kernel)
    scale = _channel_scale(response, rng)
    return kernel * scale, response * scale


def depthwise_kernel(patches: Floats, multiplier: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Kernel [height, width, channels, multiplier] for patches [count, height, width, channels], and its response."""
    count, _, _, channels = patches.shape
    mixture = _mixture(patches.reshape(count, -1), (channels, multiplier), rng)
    fitted = np.einsum("khwc,kcm->hwcm", patches, mixture)
    kernel = _noisy(fitted, (0, 1), rng)
    response = np.einsum("khwc,hwcm->kcm", patches, kernel)
    scale = _channel_scale(response, rng)
    return kernel * scale, response * scale


def _noisy(fitted: Floats, axes: int | tuple[int, ...], rng: np.random.Generator) -> Floats:
    """ALIGNMENT of the fitted kernel, brought to variance 1 over `axes`, and noise for the rest of the variance."""
    rms = np.sqrt((fitted**2).mean(axis=axes, keepdims=True)) + TINY
    noise = rng.standard_normal(fitted.shape)
    mixed: Floats = ALIGNMENT * fitted / rms + np.sqrt(1 - ALIGNMENT**2) * noise
    return mixed


def _channel_scale(response: Floats, rng: np.random.Generator) -> Floats:
    """What makes the response's standard deviation about 1, times each channel's own scale."""
    spread = np.exp(rng.normal(0, CHANNEL_SIGMA, response.shape[1:]))
    return spread / scale_on_grid(response.std() + TINY)


def product(a: Floats, b: Floats) -> Floats:
    """Matrix product. TensorFlow's: OpenBLAS' threads wait for each other, 24 ms instead of 1 ms on busy cores."""
    import keras

    result: Floats = np.asarray(keras.ops.matmul(a, b))
    return result


def on_grid(values: Floats) -> Floats:
    """The nearest multiples of 1/GRID."""
    return np.round(values * GRID) / GRID


def scale_on_grid(values: Floats) -> Floats:
    """The nearest powers of 2**(1/GRID); values must be positive."""
    return np.exp2(np.round(np.log2(values) * GRID) / GRID)
