"""best: the ranges of minmax, mse or percentile, whichever brings the outputs closest to float32."""

from __future__ import annotations

from trtbuild.quantizers import Options
from trtbuild.quantizers._histogram import HistogramQuantizer, Magnitudes
from trtbuild.quantizers.mse import MeanSquaredError
from trtbuild.quantizers.percentile import Percentile


class Best(HistogramQuantizer):
    """Where no outputs are compared (in the suite and in reductions), its ranges are those of minmax."""

    def __init__(self, percentile: float, bins: int) -> None:
        super().__init__(bins)
        self._others = {"mse": MeanSquaredError(bins), "percentile": Percentile(percentile, bins)}

    def range_of(self, seen: Magnitudes) -> float:
        return seen.largest

    def candidates(self) -> dict[str, dict[str, float]]:
        algorithms: dict[str, HistogramQuantizer] = {"minmax": self, **self._others}
        return {
            name: {tensor: one.range_of(seen) for tensor, seen in self._seen.items()}
            for name, one in algorithms.items()
        }  # fmt: skip


def make(options: Options) -> Best:
    return Best(options["percentile"], options["bins"])
