"""Makes keras.applications architectures with random yet realistic weights; it reads no file and downloads none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from trtbuild.demo.inputs import smooth_images

if TYPE_CHECKING:
    import keras

# Side of the square input of each architecture. These take images in -1..1 and are what the sanity figures in
# docs/models.md were measured on; another architecture is one more line here.
SIDE_PX: Final = {"InceptionV3": 299, "MobileNetV2": 224}

PROBE_COUNT: Final = 6
PROBE_SEED: Final = 7

# Spread (sigma of the logarithm) of the scale of output channels and of batch normalisation's gain; standard
# deviation of its offset and of biases, in units of the normalised activation.
CHANNEL_SIGMA: Final = 0.4
GAIN_SIGMA: Final = 0.3
OFFSET_STD: Final = 0.3
# Standard deviation of each logit between images: softmax over 1000 classes is then neither flat nor one-hot.
LOGIT_STD: Final = 1.2
# Measured numbers are put on this grid: multiples of 1/16 for shifts, powers of 2**(1/16) for scales.
GRID: Final = 16

Floats = npt.NDArray[np.float64]


def keras_application(application: str, seed: int, **arguments: Any) -> keras.Model:
    """Build `keras.applications.<application>` with weights that depend on `seed` only.

    Input `image` float32 [n, height, width, 3] in 0..255, rescaled to -1..1 inside; the output keeps the
    application's name and shape (`predictions` float32 [n, 1000] unless `arguments` say otherwise). `arguments` go to
    the application; `input_shape` defaults to its usual square.

    Batch normalisation with mean 0 and variance 1 makes the deep features of random weights the same for every
    image. Each moving mean and variance is therefore what PROBE_COUNT smooth images have at that layer. Gains,
    offsets, biases and the scale of every output channel are random, so that int8 finds ranges to choose.

    Clears Keras' session and seeds the global generators: InceptionV3 would otherwise name its layers by what was
    built before it.

    Raises ValueError for an application that is not in SIDE_PX.
    """
    if application not in SIDE_PX:
        raise ValueError(f"application {application!r} is not one of {', '.join(sorted(SIDE_PX))}")
    with _float64():
        probe = _built(application, seed, arguments)
        _fill(probe, np.random.default_rng(seed))
    model = _built(application, seed, arguments)
    model.set_weights(probe.get_weights())
    return model


@contextmanager
def _float64() -> Iterator[None]:
    """Build in float64: what differs between processors and thread counts is then far below GRID, so that every
    machine makes the same float32 weights."""
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _built(application: str, seed: int, arguments: dict[str, Any]) -> keras.Model:
    """The architecture behind an input `image` in 0..255, with Keras' initial weights."""
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    others = dict(arguments)
    side_px = SIDE_PX[application]
    image = keras.Input(others.pop("input_shape", (side_px, side_px, 3)), name="image")
    signed = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(image)
    return getattr(keras.applications, application)(weights=None, input_tensor=signed, **others)


def _fill(probe: keras.Model, rng: np.random.Generator) -> None:
    """Replace all weights of a float64 model in place, in layer order."""
    from keras import layers

    for layer in probe.layers:
        if isinstance(layer, layers.BatchNormalization):
            _fill_gain_and_offset(layer, rng)
        elif hasattr(layer, "kernel"):
            _fill_kernel_and_bias(layer, rng)
    features = _settle_moments(probe)
    if isinstance(probe.layers[-1], layers.Dense):
        _fill_classifier(probe.layers[-1], features, rng)


def _fill_gain_and_offset(layer: keras.layers.BatchNormalization, rng: np.random.Generator) -> None:
    """Random gamma (log-normal) and beta (normal), where the layer has them."""
    if layer.scale:
        layer.gamma.assign(np.exp(rng.normal(0, GAIN_SIGMA, layer.gamma.shape)))
    if layer.center:
        layer.beta.assign(rng.normal(0, OFFSET_STD, layer.beta.shape))


def _fill_kernel_and_bias(layer: keras.layers.Layer, rng: np.random.Generator) -> None:
    """Normal weights of variance 1/fan-in, each output channel at its own scale."""
    from keras import layers

    shape = tuple(layer.kernel.shape)
    # A depthwise kernel [height, width, channels, multiplier] makes channels * multiplier outputs, one input each.
    outputs = shape[2:] if isinstance(layer, layers.DepthwiseConv2D) else shape[-1:]
    fan_in = np.prod(shape) / np.prod(outputs)
    channel_scale = np.exp(rng.normal(0, CHANNEL_SIGMA, outputs))
    layer.kernel.assign(rng.normal(0, fan_in**-0.5, shape) * channel_scale)
    if getattr(layer, "bias", None) is not None:
        layer.bias.assign(rng.normal(0, OFFSET_STD, layer.bias.shape))


def _settle_moments(probe: keras.Model) -> Floats:
    """Set every moving mean and variance to those of the probe images; returns the last layer's input, float64."""
    import keras
    from keras import layers

    normalisations = [layer for layer in probe.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in normalisations:
        # A training pass normalises with the batch's own moments, layer after layer, and momentum 0 keeps just those.
        layer.momentum = 0.0
    height, width = probe.input_shape[1:3]
    images = smooth_images(PROBE_COUNT, height, width, PROBE_SEED).astype(np.float64)
    features = keras.Model(probe.input, probe.layers[-1].input)([images], training=True)
    for layer in normalisations:
        std = _scale_on_grid(np.sqrt(np.asarray(layer.moving_variance)))
        layer.moving_variance.assign(std**2)
        layer.moving_mean.assign(_on_grid(np.asarray(layer.moving_mean) / std) * std)
    return np.asarray(features)


def _fill_classifier(layer: keras.layers.Dense, features: Floats, rng: np.random.Generator) -> None:
    """Scale and centre the logits of `features` float64 [n, units], else the mean feature decides top-1 alone."""
    kernel = np.asarray(layer.kernel)
    logits = features @ kernel
    kernel = kernel * _scale_on_grid(LOGIT_STD / logits.std(axis=0).mean())
    layer.kernel.assign(kernel)
    layer.bias.assign(rng.normal(0, OFFSET_STD, layer.units) - _on_grid((features @ kernel).mean(axis=0)))


def _on_grid(values: Floats) -> Floats:
    """The nearest multiples of 1/GRID."""
    return np.round(values * GRID) / GRID


def _scale_on_grid(values: Floats) -> Floats:
    """The nearest powers of 2**(1/GRID); values must be positive."""
    return np.exp2(np.round(np.log2(values) * GRID) / GRID)
