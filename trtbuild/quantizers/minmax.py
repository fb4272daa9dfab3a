"""minmax: the largest magnitude seen, so that nothing saturates."""

from __future__ import annotations

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.quantizers import Options


class MinMax:
    def __init__(self) -> None:
        self._largest: dict[str, float] = {}

    def observe(self, tensor: str, values: Array) -> None:
        largest = float(np.abs(values).max(initial=0.0))
        self._largest[tensor] = max(largest, self._largest.get(tensor, 0.0))

    def ranges(self) -> dict[str, float]:
        return dict(self._largest)


def make(options: Options) -> MinMax:
    return MinMax()
