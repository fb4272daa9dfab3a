"""entropy: the range whose int8 form loses least information (Kullback-Leibler divergence of the distributions).

S. Migacz, "8-bit inference with TensorRT", GTC 2017 (S7310), on a histogram of magnitudes.
"""

from __future__ import annotations

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.quantizers import Options
from trtbuild.quantizers._histogram import HistogramQuantizer, Magnitudes

LEVELS = 128  # magnitudes that symmetric int8 tells apart
STRIDE = 8  # candidate ranges in bins; 1 is eight times slower and moves the optimum by less than half a percent
SPIKE, AROUND = 8, 4  # a spike: so many times the median of so many bins on each side


class Entropy(HistogramQuantizer):
    def range_of(self, seen: Magnitudes) -> float:
        counts = seen.counts.astype(np.float64)
        counts[0] -= seen.zeros
        inner = flattened(counts)
        # After a ReLU most values are exactly zero, which every range represents: they must not decide.
        counts[0] = inner[0] = inner[1]
        used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
        if used <= LEVELS:
            return seen.largest
        candidates = [*range(LEVELS, used, STRIDE), used]
        best = min(candidates, key=lambda stop: (divergence(inner, stop, counts[stop:].sum()), -stop))
        return float(min((best + 0.5) * seen.width, seen.largest))


def flattened(counts: Array) -> Array:
    """Without spikes: bins with more than a level's share of all values, which stand out of those around them.

    One value that is repeated, as behind a convolution of padding, is rounded by half a step at most, but its loss of
    information grows with the number of bins in a level.  To keep it in a level of its own, the range would be cut off
    behind it: MobileNetV2's at 0.77 of 6.
    """
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(counts, AROUND, "edge"), 2 * AROUND + 1)
    around = np.median(windows, axis=1)
    spikes = (around > 0) & (counts > SPIKE * around) & (counts > counts.sum() / LEVELS)
    return np.where(spikes, around, counts)


def divergence(counts: Array, stop: int, outliers: float) -> float:
    """KL divergence of the distribution cut at bin ``stop`` (outliers in its last bin) from its 128-level form."""
    kept = counts[:stop]
    reference = kept.copy()
    reference[-1] += outliers
    level = np.arange(stop) * LEVELS // stop
    filled = kept > 0
    mass = np.bincount(level, weights=kept, minlength=LEVELS)
    members = np.bincount(level, weights=filled, minlength=LEVELS)
    share = np.divide(mass, members, out=np.zeros(LEVELS), where=members > 0)
    candidate = np.where(filled, share[level], 0.0)
    if not candidate.any():
        return float("inf")  # every value lies above the cut
    p, q = reference / reference.sum(), candidate / candidate.sum()
    both = (p > 0) & (q > 0)
    # A bin that only the reference fills (outliers on an empty last bin) counts as a full miss of its mass.
    missed = float(p[(p > 0) & (q == 0)].sum())
    return float((p[both] * np.log(p[both] / q[both])).sum()) + missed * 10.0


def make(options: Options) -> Entropy:
    return Entropy(options["bins"])
