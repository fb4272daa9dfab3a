"""Numbers accumulated over many blocks: sums that keep what rounding loses, and the largest values."""

from __future__ import annotations

import math
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


def short(value: float) -> float | None:
    """Six significant digits, for pictures and long lists."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
