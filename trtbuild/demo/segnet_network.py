"""Defines the layers of the segmentation network; `trtbuild.demo.segnet` trains and writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from trtbuild.demo.scenes import CLASSES, HEIGHT_PX, WIDTH_PX

if TYPE_CHECKING:
    import keras

# Symbolic or real, one or a list: the parts work with both.
Tensor = Any
PARTS: Final = ("encoder", "context", "decoder", "head")


def segnet() -> keras.Model:
    """Encoder-decoder: input `image` float32 [n, 96, 160, 3] in 0..255, output `logits` float32 [n, 96, 160, 6].

    The parts are models of their own, named in PARTS, so that each has a name scope in the graph.
    """
    import keras

    parts = dict(zip(PARTS, (_encoder(), _context(), _decoder(), _head()), strict=True))
    image = keras.Input((HEIGHT_PX, WIDTH_PX, 3), name="image")
    return keras.Model(image, joined(image, parts.__getitem__), name="segnet")


def joined(image: Tensor, part: Callable[[str], Callable[..., Tensor]]) -> Tensor:
    """The logits of an image, symbolic or not; `part` returns the callable for a name in PARTS."""
    full, half, quarter, eighth = part("encoder")(image)
    wide = part("context")(eighth)
    return part("head")(part("decoder")([full, half, quarter, wide]))


def _encoder() -> keras.Model:
    """Rescaling, then strided convolutions; outputs at 1/1, 1/2, 1/4 and 1/8 of the input's sides."""
    import keras

    image = keras.Input((HEIGHT_PX, WIDTH_PX, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(image)
    full = _convolved(x, 16, "stem")
    half = _convolved(_convolved(full, 32, "down1", strides=2), 32, "refine1")
    quarter = _convolved(_convolved(half, 64, "down2", strides=2), 64, "refine2")
    eighth = _convolved(quarter, 80, "down3", strides=2)
    return keras.Model(image, [full, half, quarter, eighth], name="encoder")


def _context() -> keras.Model:
    """Dilated convolutions at 1/8, each added to its input; together they see 141 x 141 pixels around each place."""
    import keras

    eighth = keras.Input((HEIGHT_PX // 8, WIDTH_PX // 8, 80))
    x = eighth
    for dilation in (1, 2, 4):
        x = keras.layers.Add(name=f"add{dilation}")([x, _convolved(x, 80, f"dilated{dilation}", dilation=dilation)])
    return keras.Model(eighth, x, name="context")


def _decoder() -> keras.Model:
    """Bilinear upsampling, with the encoder's features added at 1/4 and 1/2 and concatenated at 1/1."""
    import keras
    from keras import layers

    full = keras.Input((HEIGHT_PX, WIDTH_PX, 16))
    half = keras.Input((HEIGHT_PX // 2, WIDTH_PX // 2, 32))
    quarter = keras.Input((HEIGHT_PX // 4, WIDTH_PX // 4, 64))
    wide = keras.Input((HEIGHT_PX // 8, WIDTH_PX // 8, 80))
    x = _upsampled(_convolved(wide, 64, "reduce2", size=1), "up2")
    x = _convolved(layers.Add(name="skip2")([x, quarter]), 64, "fuse2")
    x = _upsampled(_convolved(x, 32, "reduce1", size=1), "up1")
    x = _convolved(layers.Add(name="skip1")([x, half]), 32, "fuse1")
    x = _upsampled(_convolved(x, 16, "reduce0", size=1), "up0")
    x = _convolved(layers.Concatenate(name="skip0")([x, full]), 16, "fuse0")
    return keras.Model([full, half, quarter, wide], x, name="decoder")


def _head() -> keras.Model:
    """Class scores of every pixel."""
    import keras

    features = keras.Input((HEIGHT_PX, WIDTH_PX, 16))
    x = _convolved(features, 16, "refine")
    return keras.Model(features, keras.layers.Conv2D(len(CLASSES), 1, name="logits")(x), name="head")


def _convolved(x: Tensor, filters: int, name: str, size: int = 3, strides: int = 1, dilation: int = 1) -> Tensor:
    """Convolution, batch normalisation, ReLU."""
    from keras import layers

    x = layers.Conv2D(
        filters, size, strides, padding="same", dilation_rate=dilation, use_bias=False, name=f"{name}_conv"
    )(x)
    # 0.9 instead of Keras' 0.99: training takes only a few thousand steps, and the moments must have settled by then.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _upsampled(x: Tensor, name: str) -> Tensor:
    """Twice the height and width."""
    from keras import layers

    return layers.UpSampling2D(2, interpolation="bilinear", name=name)(x)
