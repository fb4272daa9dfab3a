"""Makes keras.applications models with random but realistic weights; nothing is read or downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trtbuild.demo.inputs import smooth_images
from trtbuild.demo.kernels import (
    TINY,
    Floats,
    centred,
    depthwise_kernel,
    mixed_kernel,
    on_grid,
    patches_of,
    product,
    scale_on_grid,
)

if TYPE_CHECKING:
    import keras

# Usual side of the square input where it is not DEFAULT_SIDE_PX; the argument `input_shape` overrides it.
DEFAULT_SIDE_PX: Final = 224
SIDE_PX: Final = {"InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299}
# Families that rescale 0..255 themselves.
RESCALES_ITSELF: Final = ("ConvNeXt", "EfficientNet", "MobileNetV3")

# Weights are fitted to this many smooth images of this side. Smaller than the input, because float64 is slow; many,
# because the deep features of n images span at most n - 1 directions.
PROBE_COUNT: Final = 16
PROBE_PX: Final = 144
PROBE_SEED: Final = 7

# Spread (sigma of the logarithm) of the scale of classes, and of batch normalisation's gain;
# standard deviation of its offset and of biases, in units of the normalised activation.
CLASS_SIGMA: Final = 0.5
GAIN_SIGMA: Final = 0.2
OFFSET_STD: Final = 0.2
# Standard deviation of each logit between images: softmax over 1000 classes is then neither flat nor one-hot.
LOGIT_STD: Final = 1.5


def keras_application(application: str, seed: int, **arguments: Any) -> keras.Model:
    """Build `keras.applications.<application>` with weights that depend on `seed` only.

    Input `image` float32 [n, height, width, 3] in 0..255, rescaled to -1..1 inside; the output keeps the
    application's name and shape (`predictions` float32 [n, 1000] unless `arguments` say otherwise). `arguments` go to
    the application; `input_shape` defaults to its usual square.

    Independent random weights make a chaotic network: every layer amplifies noise, until int8 and float32 have nothing
    in common. Here a kernel is mostly a random mixture of patches of its own input, as the first step of gradient
    descent makes it. It looks where the signal is, and averages noise away. Moving means and variances are those
    of PROBE_COUNT smooth images; gains, offsets, biases and the scale of every output channel are random, so that
    int8 finds ranges to choose.

    Clears Keras' session and seeds the global generators: InceptionV3 would otherwise name its layers by what was
    built before it.

    Raises ValueError for an application that Keras does not have, and for NASNet.
    """
    import keras

    # NASNet adds feature maps whose sides agree for few input sizes only, and PROBE_PX is none of these.
    names = [name for name in dir(keras.applications) if name[0].isupper() and not name.startswith("NASNet")]
    if application not in names:
        raise ValueError(f"application {application!r} is not one of {', '.join(names)}")
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    side_px = SIDE_PX.get(application, DEFAULT_SIDE_PX)
    image = keras.Input(tuple(arguments.pop("input_shape", (side_px, side_px, 3))), name="image")
    x = image
    if not application.startswith(RESCALES_ITSELF):
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(image)
    model = getattr(keras.applications, application)(weights=None, input_tensor=x, **arguments)
    _settle(model, np.random.default_rng(seed))
    return model


def _settle(model: keras.Model, rng: np.random.Generator) -> None:
    """Replace all weights in place, each layer's when the probe images arrive at it."""
    with _float64(model), _filled_when_called(model, rng):
        # Not `model(...)`, which insists on the input's usual size.
        model.call(_probe_images(model), training=False)


def _probe_images(model: keras.Model) -> Floats:
    """Smooth images, float64 [n, side, side, 3]; fewer, and of the input's own size, if a Dense layer counts pixels."""
    from keras import layers

    height, width = model.input_shape[1:3]
    count = PROBE_COUNT
    if any(isinstance(layer, layers.Flatten) and layer.input.shape[1:3] != (1, 1) for layer in model.layers):
        count = max(4, count * PROBE_PX**2 // (height * width))
    else:
        height, width = min(height, PROBE_PX), min(width, PROBE_PX)
    return smooth_images(count, height, width, PROBE_SEED).astype(np.float64)


@contextmanager
def _float64(model: keras.Model) -> Iterator[None]:
    """Compute in float64: what differs between processors and thread counts is then far below GRID, so that every
    machine makes the same float32 weights. Variables stay float32, so that no second model has to be built."""
    import keras

    class Wide(keras.DTypePolicy):  # type: ignore[misc]
        @property
        def compute_dtype(self) -> str:
            return "float64"

    before = [layer.dtype_policy for layer in model.layers]
    try:
        for layer in model.layers:
            layer.dtype_policy = Wide("float32")
        yield
    finally:
        for layer, policy in zip(model.layers, before, strict=True):
            layer.dtype_policy = policy


@contextmanager
def _filled_when_called(model: keras.Model, rng: np.random.Generator) -> Iterator[None]:
    """Give every layer its weights just before its first call inside this context."""
    replaced = []
    try:
        for layer in model.layers:
            fill = _filler(layer, is_last=layer is model.layers[-1])
            if fill:
                layer.call = _after(fill, layer, rng)
                replaced.append(layer)
        yield
    finally:
        for layer in replaced:
            del layer.call


Fill = Callable[[Any, Floats, np.random.Generator], None]


def _after(fill: Fill, layer: keras.layers.Layer, rng: np.random.Generator) -> Callable[..., Any]:
    call = layer.call
    seen: list[bool] = []

    def filled(x: Any, *arguments: Any, **options: Any) -> Any:
        if not seen:
            fill(layer, np.asarray(x), rng)
            seen.append(True)
        return call(x, *arguments, **options)

    return filled


def _filler(layer: keras.layers.Layer, *, is_last: bool) -> Fill | None:
    """What fills this layer's weights from its input; None keeps Keras' initial ones."""
    from keras import layers

    if isinstance(layer, layers.BatchNormalization):
        return _fill_normalisation
    if isinstance(layer, layers.SeparableConv2D):
        return _fill_separable
    if isinstance(layer, layers.Dense) and is_last:
        return _fill_classifier
    return _fill_kernel if hasattr(layer, "kernel") else None


def _fill_normalisation(layer: keras.layers.BatchNormalization, x: Floats, rng: np.random.Generator) -> None:
    """Random gamma (log-normal) and beta (normal), where the layer has them; moments of `x` [..., channels]."""
    channels = x.shape[-1]
    if layer.scale:
        layer.gamma.assign(np.exp(rng.normal(0, GAIN_SIGMA, channels)))
    if layer.center:
        layer.beta.assign(rng.normal(0, OFFSET_STD, channels))
    rows = x.reshape(-1, channels)
    mean = rows.mean(axis=0)
    square = np.einsum("ij,ij->j", rows, rows) / len(rows)
    std = scale_on_grid(np.sqrt(np.maximum(square - mean**2, TINY)))
    layer.moving_variance.assign(std**2)
    layer.moving_mean.assign(on_grid(mean / std) * std)


def _fill_kernel(layer: keras.layers.Layer, x: Floats, rng: np.random.Generator) -> None:
    """Fit the kernel of a Conv2D, DepthwiseConv2D or Dense layer to its input `x`."""
    shape = tuple(layer.kernel.shape)
    size = shape[:2] if len(shape) == 4 else (1, 1)
    patches, unit = patches_of(x, size, getattr(layer, "dilation_rate", (1, 1)), rng)
    if _is_depthwise(layer, channels=x.shape[-1]):
        kernel, _ = depthwise_kernel(patches, int(np.prod(shape[2:])) // x.shape[-1], rng)
    else:
        kernel, _ = mixed_kernel(patches.reshape(len(patches), -1), shape[-1], rng)
    layer.kernel.assign(kernel.reshape(shape) / unit)
    if getattr(layer, "bias", None) is not None:
        layer.bias.assign(rng.normal(0, OFFSET_STD, layer.bias.shape))


def _is_depthwise(layer: keras.layers.Layer, channels: int) -> bool:
    """Whether every output sees one input channel; ConvNeXt says so by as many groups as channels."""
    from keras import layers

    return isinstance(layer, layers.DepthwiseConv2D) or 1 < channels == getattr(layer, "groups", 1)


def _fill_separable(layer: keras.layers.SeparableConv2D, x: Floats, rng: np.random.Generator) -> None:
    """Fit the depthwise kernel to `x`, and the pointwise kernel to what the depthwise one makes of it."""
    height, width, _, multiplier = layer.depthwise_kernel.shape
    patches, unit = patches_of(x, (height, width), layer.dilation_rate, rng)
    kernel, between = depthwise_kernel(patches, multiplier, rng)
    layer.depthwise_kernel.assign(kernel / unit)
    patches, unit = centred(between.reshape(len(between), -1))
    kernel, _ = mixed_kernel(patches, layer.filters, rng)
    layer.pointwise_kernel.assign(kernel.reshape(layer.pointwise_kernel.shape) / unit)


def _fill_classifier(layer: keras.layers.Dense, features: Floats, rng: np.random.Generator) -> None:
    """Scale and centre the logits of `features` float64 [n, units], else the mean feature decides top-1 alone."""
    kernel = rng.standard_normal(layer.kernel.shape) * np.exp(rng.normal(0, CLASS_SIGMA, layer.units))
    logits = product(features, kernel)
    scale = scale_on_grid(LOGIT_STD / (logits.std(axis=0).mean() + TINY))
    layer.kernel.assign(kernel * scale)
    if layer.use_bias:
        layer.bias.assign(rng.normal(0, OFFSET_STD, layer.units) - on_grid((logits * scale).mean(axis=0)))
