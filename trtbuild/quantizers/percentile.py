"""percentile: the magnitude below which the given share of all values lies; the rest saturates."""

from __future__ import annotations

import numpy as np

from trtbuild.quantizers import Options
from trtbuild.quantizers._histogram import HistogramQuantizer, Magnitudes


class Percentile(HistogramQuantizer):
    """``percentile`` in percent, (0, 100]; resolution is one of ``bins`` of the range seen."""

    def __init__(self, percentile: float, bins: int) -> None:
        super().__init__(bins)
        self._share = percentile / 100.0

    def range_of(self, seen: Magnitudes) -> float:
        if self._share >= 1.0:
            return seen.largest
        cumulative = np.cumsum(seen.counts)
        bin_index = int(np.searchsorted(cumulative, self._share * cumulative[-1]))
        return float(min((bin_index + 1) * seen.width, seen.largest))


def make(options: Options) -> Percentile:
    return Percentile(options["percentile"], options["bins"])
