"""What case functions are written with: TensorFlow, Keras and numpy loaded at first use, seeded weights, layers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

__all__ = ["T", "built", "forget_layers", "keras", "np", "tf", "weights"]

Shape = tuple[int | None, ...]
_KEPT: list[object] = []  # owners of variables, which a traced function only refers to weakly


class _AtFirstUse:
    """A module that is imported when one of its attributes is used: listing cases needs no TensorFlow."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        return getattr(import_module(self._name), attribute)


if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    T: TypeAlias = tf.Tensor
else:
    tf, keras, np = map(_AtFirstUse, ("tensorflow", "keras", "numpy"))
    T = object


def weights(*shape: int, scale: float = 0.5, seed: int = 1, dtype: str = "float32") -> T:
    """A constant of seeded normal numbers: never symmetric, so that a transposed or shifted use shows."""
    values = np.random.default_rng(seed).standard_normal(shape) * scale
    return tf.constant(values.astype(dtype))


def built(make: Callable[[], keras.Layer], *tensors: T, **arguments: object) -> T:
    """A Keras layer made for these tensors, with seeded weights; its outputs for them.

    It is made in a thread of its own, where no function is being traced: ``tf.function`` takes no new variables.
    """
    shapes = [tuple(tensor.shape) for tensor in tensors]
    with ThreadPoolExecutor(1) as aside:
        layer = aside.submit(_make, make, shapes[0] if len(shapes) == 1 else shapes).result()
    _KEPT.append(layer)
    return layer(*tensors, **arguments)


def _make(make: Callable[[], keras.Layer], shape: Shape | list[Shape]) -> keras.Layer:
    """Weights are moved off zero and one, where grappler folds biases and statistics away."""
    keras.utils.set_random_seed(1)
    layer = make()
    layer.build(*shape) if isinstance(shape, list) else layer.build(shape)
    rng = np.random.default_rng(1)
    layer.set_weights([w + rng.uniform(0.05, 0.3, w.shape).astype(w.dtype) for w in layer.get_weights()])
    return layer


def forget_layers() -> None:
    """Release the layers of the last case."""
    _KEPT.clear()
