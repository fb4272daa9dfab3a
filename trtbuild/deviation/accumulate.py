"""Numbers accumulated over many blocks: sums that keep what rounding loses, and the largest values."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array


class Sum:
    """A sum of numbers or of arrays of one shape that keeps what rounding loses (Neumaier 1974)."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self._total, self._lost = np.zeros(shape), np.zeros(shape)

    def add(self, value: Any) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            total = self._total + value
            big = np.abs(self._total) >= np.abs(value)
            self._lost += np.where(big, (self._total - total) + value, (value - total) + self._total)
        self._total = total

    @property
    def values(self) -> Array:
        made: Array = np.where(np.isfinite(self._total), self._total + self._lost, self._total)
        return made

    @property
    def value(self) -> float:
        return float(self.values)


class Largest:
    """The ``count`` largest non-zero numbers it has seen (the first of equal ones), each with a note."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._found: list[tuple[float, int]] = []
        self._notes: dict[int, Any] = {}

    def add(self, values: Array, first: int) -> list[tuple[int, float]]:
        """Look at ``values`` with the indices ``first``, …; the new ones among the largest as (index, value)."""
        full = len(self._found) == self._count
        candidates = np.flatnonzero(values > (self._found[-1][0] if full else 0.0))
        if len(candidates) > self._count:
            seen = values[candidates]
            least = np.partition(seen, -self._count)[-self._count]
            above = candidates[seen > least]
            candidates = np.concatenate([above, candidates[seen == least][: self._count - len(above)]])
        new = [(float(values[i]), first + int(i)) for i in candidates]
        self._found = sorted([*self._found, *new], key=lambda item: (-item[0], item[1]))[: self._count]
        indices = {index for _, index in self._found}
        self._notes = {index: note for index, note in self._notes.items() if index in indices}
        return [(index, value) for value, index in new if index in indices]

    def keep(self, index: int, note: Any) -> None:
        self._notes[index] = note

    def kept(self) -> list[Any]:
        return [self._notes[index] for _, index in self._found]


_SHORT = 32  # elements of a last axis


def reduced(ufunc: np.ufunc, array: Array, axes: Sequence[int]) -> Array:
    """As ``ufunc.reduce`` over these axes (in order), in runs of memory that are as long as possible.

    Numpy takes over ten times as long where the elements that it adds up, or adds to, are a few at a time.
    """
    last = len(axes)
    while last and axes[last - 1] == array.ndim - 1 - (len(axes) - last):
        last -= 1  # axes[last:] end with the last axis of the array, and lie together in memory
    kept = tuple(size for axis, size in enumerate(array.shape) if axis not in axes)
    for axis in axes[:last]:
        array = ufunc.reduce(array, axis=axis, keepdims=True)
    if not axes[last:]:
        return array.reshape(kept)
    array = array.reshape(*kept, -1)
    if array.shape[-1] > _SHORT:
        return np.asarray(ufunc.reduce(array, axis=-1))
    return functools.reduce(ufunc, (array[..., i] for i in range(array.shape[-1])))


def short(value: float) -> float | None:
    """Six significant digits, for pictures and long lists."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
