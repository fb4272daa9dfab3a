"""A histogram of magnitudes on a grid of its own: streaming, fixed memory, the same in any order.

The largest magnitude is exact.  Of a sample with many values, the histogram counts an even part.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cache

import numpy as np

from trtbuild.arrays.arrayfile import Array

# Widths are GRID * 2^k: two bins merge into one exactly, so counts depend on the values and not on how they were cut
# into batches.  An odd factor keeps what networks like to end at (1, 6, 255) from an edge of the whole, where the last
# bit of the largest value, which does depend on the batch (runtimes sum in another order), would halve the resolution.
GRID = 1.3
COUNTED = 1 << 14  # values of one sample: of ten samples, 16 are beyond 99.99 %
_CHUNK = 1 << 16  # elements at once: they stay in the processor's cache, which halves the time


class Magnitudes:
    """``counts[i]`` values with magnitude in [i, i+1) * ``width``; ``zeros`` of those in bin 0 are exactly zero.

    There are twice as many bins as requested, and at least half are used: the range seen has ``bins`` or more.
    """

    def __init__(self, bins: int) -> None:
        if bins < 2 or bins % 2:
            raise ValueError(f"bins: {bins} is not an even number above 1")
        self.counts = np.zeros(2 * bins, np.int64)
        self.width = 0.0
        self.largest = 0.0
        self.zeros = 0

    def add(self, values: Array) -> None:
        """See values, of which the first axis is that of samples."""
        self._cover(max(float(values.max(initial=0.0)), -float(values.min(initial=0.0))))
        flat = spread(values).ravel()
        for start in range(0, flat.size, _CHUNK):
            self._add(np.abs(flat[start : start + _CHUNK]).astype(np.float64))

    def _cover(self, top: float) -> None:
        self.largest = max(self.largest, top)
        if self.width == 0.0 and top > 0.0:
            self.width = GRID * 2.0 ** math.frexp(top / (GRID * len(self.counts)))[1]  # the least above it
        while self.width and top >= self.width * len(self.counts):
            self._double()

    def _add(self, magnitudes: Array) -> None:
        self.zeros += magnitudes.size - int(np.count_nonzero(magnitudes))
        if self.width == 0.0:
            self.counts[0] += magnitudes.size
            return
        self.counts += np.bincount((magnitudes / self.width).astype(np.int64), minlength=len(self.counts))

    def _double(self) -> None:
        merged = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.concatenate([merged, np.zeros_like(merged)])
        self.width *= 2


def spread(values: Array) -> Array:
    """The values of each sample, or COUNTED of them at most: one of each run of neighbours, in the same places."""
    rows = len(values) if values.ndim else 1
    size = values.size // max(rows, 1)
    return values if size <= COUNTED else values.reshape(rows, size)[:, _places(size)]


@cache
def _places(size: int) -> Array:
    """At random, since with a fixed step between them, positions along an axis would never be seen."""
    step = -(-size // COUNTED)
    starts = np.arange(0, size, step)
    drawn = np.random.default_rng(size).integers(0, step, len(starts))
    places: Array = np.minimum(starts + drawn, size - 1)
    return places


class HistogramQuantizer(ABC):
    """A quantizer that keeps one histogram of ``bins`` or more for each tensor, and chooses its range at the end."""

    def __init__(self, bins: int) -> None:
        self._bins = bins
        self._seen: dict[str, Magnitudes] = {}

    def observe(self, tensor: str, values: Array) -> None:
        self._seen.setdefault(tensor, Magnitudes(self._bins)).add(values)

    def ranges(self) -> dict[str, float]:
        return {tensor: self.range_of(seen) for tensor, seen in self._seen.items()}

    @abstractmethod
    def range_of(self, seen: Magnitudes) -> float:
        """The range of a tensor with this histogram."""
