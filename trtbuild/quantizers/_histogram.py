"""A histogram of magnitudes whose range doubles by merging neighbouring bins: streaming, exact counts, fixed memory."""

from __future__ import annotations

from typing import Any

import numpy as np


class Magnitudes:
    """``counts[i]`` values with magnitude in [i, i+1) * ``width``; zeros are in bin 0."""

    def __init__(self, bins: int) -> None:
        if bins < 2 or bins % 2:
            raise ValueError(f"bins: {bins} is not an even number above 1")
        self.counts = np.zeros(bins, np.int64)
        self.width = 0.0
        self.largest = 0.0

    def add(self, values: np.ndarray[Any, Any]) -> None:
        magnitudes = np.abs(values).ravel()
        top = float(magnitudes.max(initial=0.0))
        self.largest = max(self.largest, top)
        if self.width == 0.0 and top > 0.0:
            self.width = top / (len(self.counts) - 1)
        while self.width and top >= self.width * len(self.counts):
            self._double()
        if self.width == 0.0:
            self.counts[0] += magnitudes.size
            return
        # The top edge is above every value, so histogram's closed last bin holds nothing extra.
        edge = self.width * len(self.counts)
        self.counts += np.histogram(magnitudes, bins=len(self.counts), range=(0.0, edge))[0]

    def _double(self) -> None:
        merged = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.concatenate([merged, np.zeros_like(merged)])
        self.width *= 2
