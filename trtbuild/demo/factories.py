"""Makes keras.applications architectures with random yet realistic weights; it reads no file and downloads none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from trtbuild.demo.inputs import smooth_images

if TYPE_CHECKING:
    import keras

# Usual side of the square input where it is not DEFAULT_SIDE_PX; the argument `input_shape` overrides it.
DEFAULT_SIDE_PX: Final = 224
SIDE_PX: Final = {"InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299}
# Families that rescale 0..255 themselves.
RESCALES_ITSELF: Final = ("ConvNeXt", "EfficientNet", "MobileNetV3")

# Weights are fitted to this many smooth images of this side. Smaller than the input, because float64 is slow; many,
# because deep features of n images span n - 1 directions at most.
PROBE_COUNT: Final = 16
PROBE_PX: Final = 144
PROBE_SEED: Final = 7
PATCH_COUNT: Final = 64
# Share (of the standard deviation) of a kernel that is a mixture of its own input's patches; the rest is noise. 0 is a
# chaotic network: 1 % of noise after MobileNetV2's first convolution changes its logits by 100 %.
ALIGNMENT: Final = 0.8
# Directions of the patches weaker than this (in mean variances) are mixed in with less weight. At 1, InceptionV3's
# logits vary in one direction only; at 0.1, int8 brings MobileNetV2 (seed 3) to cosine 0.97 instead of 0.99.
WHITENING_FLOOR: Final = 0.3

# Spread (sigma of the logarithm) of the scale of output channels, of classes, and of batch normalisation's gain;
# standard deviation of its offset and of biases, in units of the normalised activation.
CHANNEL_SIGMA: Final = 0.4
CLASS_SIGMA: Final = 0.5
GAIN_SIGMA: Final = 0.2
OFFSET_STD: Final = 0.2
# Standard deviation of each logit between images: softmax over 1000 classes is then neither flat nor one-hot.
LOGIT_STD: Final = 1.5
# Measured numbers are put on this grid: multiples of 1/16 for shifts, powers of 2**(1/16) for scales.
GRID: Final = 16
# Keeps a constant (dead) input from a division by zero.
TINY: Final = 1e-6

Floats = npt.NDArray[np.float64]


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
    std = _scale_on_grid(np.sqrt(np.maximum(square - mean**2, TINY)))
    layer.moving_variance.assign(std**2)
    layer.moving_mean.assign(_on_grid(mean / std) * std)


def _fill_kernel(layer: keras.layers.Layer, x: Floats, rng: np.random.Generator) -> None:
    """Fit the kernel of a Conv2D, DepthwiseConv2D or Dense layer to its input `x`."""
    shape = tuple(layer.kernel.shape)
    size = shape[:2] if len(shape) == 4 else (1, 1)
    patches, unit = _patches(x, size, getattr(layer, "dilation_rate", (1, 1)), rng)
    if _is_depthwise(layer, channels=x.shape[-1]):
        kernel, _ = _depthwise_kernel(patches, int(np.prod(shape[2:])) // x.shape[-1], rng)
    else:
        kernel, _ = _mixed_kernel(patches.reshape(len(patches), -1), shape[-1], rng)
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
    patches, unit = _patches(x, (height, width), layer.dilation_rate, rng)
    kernel, between = _depthwise_kernel(patches, multiplier, rng)
    layer.depthwise_kernel.assign(kernel / unit)
    patches, unit = _centred(between.reshape(len(between), -1))
    kernel, _ = _mixed_kernel(patches, layer.filters, rng)
    layer.pointwise_kernel.assign(kernel.reshape(layer.pointwise_kernel.shape) / unit)


def _patches(
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
    return _centred(chosen.transpose(0, 2, 3, 1))


def _centred(patches: Floats) -> tuple[Floats, Floats]:
    """The difference from the mean patch in units of its standard deviation, and that unit.

    To be on the grid makes sums of products exact, so that kernels do not depend on the order of summation.
    """
    difference = patches - patches.mean(axis=0)
    unit = _scale_on_grid(difference.std() + TINY)
    return _on_grid(difference / unit), unit


def _mixture(patches: Floats, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Random weights [patches, *shape] of patches [count, values], which make all strong directions count alike."""
    # Without whitening the strongest direction of a layer wins again in the next one, like in power iteration, and
    # after some layers all images are the same up to one number. A function of the Gram matrix, and not its
    # eigenvectors, because these have no sign.
    import keras

    strength, direction = (np.asarray(part) for part in keras.ops.eigh(_product(patches, patches.T)))
    strength = np.maximum(strength, 0) * len(patches) / (strength.sum() + TINY)
    whitening = _product(direction * (strength + WHITENING_FLOOR) ** -0.5, direction.T)
    weights = _product(whitening, rng.standard_normal((len(patches), int(np.prod(shape)))))
    return _on_grid(weights * GRID).reshape(-1, *shape) / GRID


def _mixed_kernel(patches: Floats, outputs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Kernel [values, outputs] for patches [count, values], and its response [count, outputs] to them."""
    fitted = _product(patches.T, _mixture(patches, (outputs,), rng))
    kernel = _noisy(fitted, 0, rng)
    response = _product(patches, kernel)
    scale = _channel_scale(response, rng)
    return kernel * scale, response * scale


def _depthwise_kernel(patches: Floats, multiplier: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
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
    return spread / _scale_on_grid(response.std() + TINY)


def _fill_classifier(layer: keras.layers.Dense, features: Floats, rng: np.random.Generator) -> None:
    """Scale and centre the logits of `features` float64 [n, units], else the mean feature decides top-1 alone."""
    kernel = rng.standard_normal(layer.kernel.shape) * np.exp(rng.normal(0, CLASS_SIGMA, layer.units))
    logits = _product(features, kernel)
    scale = _scale_on_grid(LOGIT_STD / (logits.std(axis=0).mean() + TINY))
    layer.kernel.assign(kernel * scale)
    if layer.use_bias:
        layer.bias.assign(rng.normal(0, OFFSET_STD, layer.units) - _on_grid((logits * scale).mean(axis=0)))


def _product(a: Floats, b: Floats) -> Floats:
    """Matrix product. TensorFlow's: OpenBLAS' threads wait for each other, 24 ms instead of 1 ms on busy cores."""
    import keras

    product: Floats = np.asarray(keras.ops.matmul(a, b))
    return product


def _on_grid(values: Floats) -> Floats:
    """The nearest multiples of 1/GRID."""
    return np.round(values * GRID) / GRID


def _scale_on_grid(values: Floats) -> Floats:
    """The nearest powers of 2**(1/GRID); values must be positive."""
    return np.exp2(np.round(np.log2(values) * GRID) / GRID)
