"""Input values as data: what to draw, so that a case can say it without numpy; drawn in the worker, from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array


@dataclass(frozen=True)
class Values:
    """A kind of numbers and its arguments; equal ones draw equal arrays."""

    kind: str
    arguments: tuple[float | str, ...] = ()


def normal(scale: float = 1.0, mean: float = 0.0) -> Values:
    return Values("normal", (scale, mean))


def uniform(low: float, high: float) -> Values:
    return Values("uniform", (low, high))


def integers(low: int, high: int) -> Values:
    """From ``low`` to ``high``, both inclusive."""
    return Values("integers", (low, high))


def exactly(*numbers: float | str) -> Values:
    """These numbers, in order, repeated until the shape is full: special values, ties, literal triggers."""
    return Values("exactly", numbers)


def default(dtype: str) -> Values:
    if dtype == "bool":
        return integers(0, 1)
    return integers(0, 4) if dtype.startswith(("int", "uint")) else normal()


def draw(values: Values, shape: tuple[int, ...], dtype: str, seed: int) -> Array:
    """A numpy array of ``dtype``; "string" gives an object array.

    >>> draw(exactly(1, 2), (3,), "int32", 0).tolist()
    [1, 2, 1]
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    if values.kind == "exactly":
        if dtype == "string":
            return np.resize(np.array(values.arguments, object), shape)
        return np.resize(np.array(values.arguments, dtype=None if dtype == "bool" else dtype), shape).astype(dtype)
    if values.kind == "integers":
        low, high = map(int, values.arguments)
        return rng.integers(low, high, shape, endpoint=True).astype(dtype)
    first, second = map(float, values.arguments)
    if values.kind == "normal":
        return np.asarray(rng.standard_normal(shape) * first + second).astype(dtype)
    return np.asarray(rng.uniform(first, second, shape)).astype(dtype)
