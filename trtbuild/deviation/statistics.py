"""How far one array is from another: the numbers and the histogram of a deviation report, exact, with numpy alone.

Arrays are read in blocks of rows, several times; memory does not grow with their length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.deviation.accumulate import Largest, Sum
from trtbuild.deviation.breakdown import Breakdown
from trtbuild.deviation.errorblocks import Block, block_of, blocks
from trtbuild.deviation.histograms import LOG10_EDGES, log_bins
from trtbuild.deviation.layout import Classes, NoClasses
from trtbuild.deviation.orderstatistics import percentiles

PERCENTILES = {"median": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
RELATIVE_FLOOR = 1e-3  # of the reference's RMS: a smaller element's own size says nothing about what an error means
_NUMBERS = ("mean_abs", "rmse", "bias", "cosine", "sqnr_db", "exact_share", "reference_rms", "relative_floor", "worst")


@dataclass(frozen=True)
class ComparisonResult:
    """``summary``: the metrics; ``histogram``: counts of log10 |error|; ``detail``: where the errors are."""

    summary: dict[str, Any]
    histogram: dict[str, Any]
    detail: dict[str, Any]


class Comparison:
    """Everything that one pass reveals about the deviation of one array from another.

    Args:
        shape: shape of the whole arrays.
        per_sample: whether their rows are samples.
        classes: how argmax is taken, or why it is not.
    """

    def __init__(self, shape: tuple[int, ...], *, per_sample: bool, classes: Classes | NoClasses) -> None:
        self.breakdown = Breakdown(shape, per_sample=per_sample, classes=classes)
        self._counts = dict.fromkeys(("count", "nan", "inf", "reference_nonfinite", "nonfinite_mismatch"), 0)
        self._sums = {name: Sum() for name in ("error", "signed", "noise", "signal", "power", "product")}
        self._exact = 0
        self._bins = np.zeros(len(LOG10_EDGES) + 2, np.int64)  # zero, below, the bins, above
        self._worst = Largest(10)
        self._shape, self._per_sample = shape, per_sample
        self._row = 0

    def add(self, reference_rows: Array, other_rows: Array) -> None:
        self.add_block(block_of(self._row, reference_rows, other_rows))

    def add_block(self, block: Block) -> None:
        self._row = block.start + len(block.error)
        self._count(block)
        e, d, r, y = (block.chosen(a) for a in (block.error, block.signed, block.reference, block.other))
        with np.errstate(over="ignore", invalid="ignore"):
            parts = {"error": e, "signed": d, "noise": e * e, "signal": r * r, "power": y * y, "product": r * y}
            for name, values in parts.items():
                self._sums[name].add(values.sum())
        bins = log_bins(e)
        self._exact += int(np.count_nonzero(e == 0))
        self._bins += np.bincount(bins, minlength=len(self._bins))
        first = block.start * math.prod(self._shape[1:])
        for place, error in self._worst.add(block.error.ravel(), first):
            r0, y0 = (side.ravel()[place - first].item() for side in block.native)
            self._worst.keep(place, self._element(place, r0, y0, error))
        self.breakdown.add(block, bins)

    def result(self) -> ComparisonResult:
        """Everything but the percentiles."""
        finite = int(self._bins.sum())
        zero, below, *counts, above = (int(c) for c in self._bins)
        histogram = {"zero": zero, "below": below, "above": above, "counts": counts}
        worst = self._worst.kept()
        detail = {"worst": worst, **self.breakdown.result()}
        rate = detail["argmax"]["rate"] if detail["argmax"] else None
        if not finite:
            numbers = {**dict.fromkeys(_NUMBERS), "argmax_disagreement": rate}
            return ComparisonResult({**self._counts, **numbers}, histogram, detail)
        s = {name: total.value for name, total in self._sums.items()}
        summary = {
            **self._counts,
            "mean_abs": _number(s["error"] / finite),
            "rmse": _number(math.sqrt(s["noise"] / finite)),
            "bias": _number(s["signed"] / finite),
            "cosine": _cosine(s["product"], s["signal"], s["power"]),
            "sqnr_db": _decibel(s["signal"], s["noise"]),
            "exact_share": self._exact / finite,
            "reference_rms": _number(math.sqrt(s["signal"] / finite)),
            "relative_floor": _number(RELATIVE_FLOOR * math.sqrt(s["signal"] / finite)),
            "argmax_disagreement": rate,
            "worst": {k: worst[0][k] for k in ("index", "reference", "value")} if worst else None,
        }
        return ComparisonResult(summary, histogram, detail)

    def _count(self, block: Block) -> None:
        self._counts["count"] += block.error.size
        if block.finite is None:
            return
        r, y = (side.astype(np.float64) for side in block.native)
        same = (r == y) | (np.isnan(r) & np.isnan(y))
        self._counts["nan"] += int(np.isnan(y).sum())
        self._counts["inf"] += int(np.isinf(y).sum())
        self._counts["reference_nonfinite"] += int((~np.isfinite(r)).sum())
        self._counts["nonfinite_mismatch"] += int((~block.finite & ~same).sum())

    def _element(self, place: int, reference: Any, value: Any, error: float) -> dict[str, Any]:
        index = [int(i) for i in np.unravel_index(place, self._shape)]
        return {
            "index": index, "sample": index[0] if self._per_sample else None,
            "reference": _plain(reference), "value": _plain(value), "error": _number(error),
        }  # fmt: skip


def measure(
    reference: Any, other: Any, *, per_sample: bool = False, classes: Classes | NoClasses | None = None
) -> ComparisonResult:
    """Deviation of ``other`` from ``reference`` (arrays or stored arrays of one shape), computed in float64.

    Elements that are NaN or infinite on either side are counted and left out of all other numbers.  ``sqnr_db`` is
    10 log10(sum r^2 / sum e^2), None when there is no error at all; ``cosine`` is 1 for two zero vectors and 0 when
    just one is zero.  ``*_abs`` are percentiles of e = |y - r|, ``*_rel`` of e / (|r| + relative_floor) with a floor of
    1e-3 RMS(r); they interpolate linearly (numpy's default) and equal numpy's on the whole array.  How the rows are cut
    into blocks changes a sum by at most 1e-12 of the sum of absolute values.
    """
    reference, other = (a if a.ndim else np.atleast_1d(a) for a in (reference, other))
    comparison = Comparison(
        tuple(reference.shape), per_sample=per_sample, classes=classes or NoClasses("nobody asked for it")
    )
    for block in blocks(reference, other):
        comparison.add_block(block)
    result = comparison.result()
    finite = sum(result.histogram["counts"]) + sum(result.histogram[k] for k in ("zero", "below", "above"))

    def absolute() -> Iterator[Array]:
        return (block.chosen(block.error) for block in blocks(reference, other))

    floor = result.summary["relative_floor"]

    def relative() -> Iterator[Array]:
        with np.errstate(over="ignore"):
            for block in blocks(reference, other):
                yield block.chosen(block.error) / (np.abs(block.chosen(block.reference)) + floor)

    wanted = list(PERCENTILES.values())
    columns = {
        "abs": percentiles(absolute, finite, wanted) if finite else None,
        "rel": percentiles(relative, finite, wanted) if finite and floor else None,  # nothing is a share of zero
    }
    for kind, values in columns.items():
        for i, name in enumerate(PERCENTILES):
            result.summary[f"{name}_{kind}"] = None if values is None else _number(values[i])
    return result


def compare(reference: Any, other: Any) -> dict[str, Any]:
    """Only the metrics of :func:`measure`."""
    return measure(reference, other).summary


def histogram(reference: Any, other: Any) -> dict[str, Any]:
    """Counts of log10 |error| between LOG10_EDGES; ``zero`` counts exact equality, ``below``/``above`` the rest."""
    return measure(reference, other).histogram


def _cosine(product: float, signal: float, power: float) -> float | None:
    if signal == 0.0 or power == 0.0:
        return 1.0 if signal == power else 0.0
    return _number(max(-1.0, min(1.0, product / (math.sqrt(signal) * math.sqrt(power)))))


def _decibel(signal: float, noise: float) -> float | None:
    if noise == 0.0:
        return None
    return _number(10 * math.log10(signal / noise) if signal > 0 else -10 * math.log10(1 + noise))


def _number(value: float) -> float | None:
    """None where float64 overflows (squares of numbers beyond 1e154), so that no such number passes a limit."""
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
