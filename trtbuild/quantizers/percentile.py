"""percentile: the magnitude below which the given share of all values lies; the rest saturates."""

from __future__ import annotations

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.quantizers import Options
from trtbuild.quantizers._histogram import Magnitudes


class Percentile:
    """``percentile`` in percent, (0, 100]; resolution is one of ``bins`` of the range seen."""

    def __init__(self, percentile: float, bins: int) -> None:
        self._share, self._bins = percentile / 100.0, bins
        self._seen: dict[str, Magnitudes] = {}

    def observe(self, tensor: str, values: Array) -> None:
        self._seen.setdefault(tensor, Magnitudes(self._bins)).add(values)

    def ranges(self) -> dict[str, float]:
        return {tensor: self._range(seen) for tensor, seen in self._seen.items()}

    def _range(self, seen: Magnitudes) -> float:
        cumulative = np.cumsum(seen.counts)
        bin_index = int(np.searchsorted(cumulative, self._share * cumulative[-1]))
        return float(min((bin_index + 1) * seen.width, seen.largest))


def make(options: Options) -> Percentile:
    return Percentile(options["percentile"], options["bins"])
