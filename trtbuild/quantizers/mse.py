"""mse: the range with the least mean squared error of values after int8 (rounding within it, saturation beyond it).

Exact for values that are spread evenly over each bin of a histogram of magnitudes; zeros, which every range
represents, count nothing.
"""

from __future__ import annotations

import math

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.quantizers import Options
from trtbuild.quantizers._histogram import HistogramQuantizer, Magnitudes

LARGEST = 127  # the largest magnitude of symmetric int8
# Candidate ranges: the largest value over 2^(i/STEPS), down to 2^-OCTAVES of it.  Neighbours differ by 2 %, and the
# error is flat around its least: a range that is 1 % off costs less than 0.01 dB.
STEPS, OCTAVES = 32, 10


class MeanSquaredError(HistogramQuantizer):
    def range_of(self, seen: Magnitudes) -> float:
        if not seen.largest:
            return 0.0
        counts = seen.counts.astype(np.float64)
        counts[0] -= seen.zeros
        used = int(np.flatnonzero(counts)[-1]) + 1
        edges = np.minimum(np.arange(used + 1) * seen.width, seen.largest)  # the last bin ends at the largest value
        density = counts[:used] / np.maximum(np.diff(edges), np.finfo(np.float64).tiny)
        candidates = seen.largest * 2.0 ** (-np.arange(STEPS * OCTAVES) / STEPS)
        best, least = 0.0, math.inf
        for top in candidates:
            if counts[:used] @ np.maximum(edges[:-1] - top, 0.0) ** 2 > least:
                break  # saturation alone costs more, and the more, the smaller the range
            error = float(density @ np.diff(squared_error(edges, top / LARGEST)))
            if error < least:
                best, least = float(top), error
        return best


def squared_error(x: Array, scale: float) -> Array:
    """The integral from 0 to ``x`` of (t - int8(t))^2, for int8(t) = min(round(t / scale), 127) * scale."""
    level = np.minimum(np.rint(x / scale), LARGEST)
    return np.asarray(level * scale**3 / 12 + (x - level * scale) ** 3 / 3)


def make(options: Options) -> MeanSquaredError:
    return MeanSquaredError(options["bins"])
