"""Input values as data: what to draw, so that a case can say it without numpy; drawn in the worker, from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Values:
    """A kind of numbers and its arguments; equal ones draw equal arrays."""

    kind: str
    arguments: tuple[Any, ...] = ()


def normal(scale: float = 1.0, mean: float = 0.0) -> Values:
    return Values("normal", (scale, mean))


def uniform(low: float, high: float) -> Values:
    return Values("uniform", (low, high))


def integers(low: int, high: int) -> Values:
    """From ``low`` to ``high``, both inclusive."""
    return Values("integers", (low, high))


def exactly(*numbers: Any) -> Values:
    """These numbers, in order, repeated until the shape is full: special values, ties, literal triggers."""
    return Values("exactly", numbers)


def default(dtype: str) -> Values:
    if dtype == "bool":
        return integers(0, 1)
    return integers(0, 4) if dtype.startswith(("int", "uint")) else normal()


def draw(values: Values, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
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
    first, second = values.arguments
    if values.kind == "normal":
        return np.asarray(rng.standard_normal(shape) * first + second).astype(dtype)
    if values.kind == "uniform":
        return np.asarray(rng.uniform(first, second, shape)).astype(dtype)
    return np.asarray(rng.integers(first, second, shape, endpoint=True)).astype(dtype)
