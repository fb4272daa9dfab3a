"""Histograms of log10 |error|: fixed bins, and one flat CSV of all counts, which ``dvc plots show`` draws."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array

# Edges of log10 of the absolute error: fixed, so that histograms of different builds can be overlaid.
BINS_PER_DECADE, LOWEST, HIGHEST = 8, -12, 6
LOG10_EDGES = np.linspace(LOWEST, HIGHEST, (HIGHEST - LOWEST) * BINS_PER_DECADE + 1)
ABOUT = ("set", "output", "log10_error")  # followed by one column of counts for each hop
EXACT_LEFT_OF_EDGES = 1.0  # decades: exact equality has no logarithm, so its bar stands apart


class Bins:
    """The bins of non-negative float64 numbers: 0 for zero, 1 for those below the first edge, and so on.

    The leading bits of a number say between which edges it is, but for one edge, with which it is compared.  That takes
    an eighth of the time of a logarithm.  Neighbouring edges have to be more than 2^-_BITS of themselves apart.
    """

    _BITS = 5  # of the mantissa
    _SHIFT = np.uint64(52 - _BITS)

    def __init__(self, edges: Array) -> None:
        least = np.nextafter(0.0, 1.0)
        self._next = np.array([least, *edges, np.inf])
        firsts = (np.arange(1 << 11 + self._BITS, dtype=np.uint64) << self._SHIFT).view(np.float64)
        self._below = np.searchsorted(self._next[:-1], np.nan_to_num(firsts, nan=np.inf, posinf=np.inf), side="right")

    def __call__(self, values: Array) -> Array:
        low = self._below.take((values.view(np.uint64) >> self._SHIFT).view(np.int64))
        made: Array = low + (values >= self._next.take(low))
        return made


_EDGES = 10.0**LOG10_EDGES
_EDGES[-1] = np.nextafter(_EDGES[-1], np.inf)  # the last bin is closed
# Of each error: 0 exact, 1 below the edges, then the bins of LOG10_EDGES, then above.
log_bins = Bins(_EDGES)


def csv_text(sets: Mapping[str, Mapping[str, Mapping[str, Any]]], edges: Sequence[float]) -> str:
    """One row for each bin of each output in a set, with a column for each hop (``sets[set][hop][output]``).

    Exact equality is one decade left of the first edge; errors below or above all edges are half a bin outside.
    """
    width = edges[1] - edges[0]
    middles = [edges[0] - EXACT_LEFT_OF_EDGES, edges[0] - width / 2]
    middles += [(low + high) / 2 for low, high in pairwise(edges)] + [edges[-1] + width / 2]
    hops = list(dict.fromkeys(hop for found in sets.values() for hop in found))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ABOUT, *hops])
    for name, found in sets.items():
        for output in sorted({output for outputs in found.values() for output in outputs}):
            counts = [_counts(found[hop].get(output)) if hop in found else None for hop in hops]
            for i, x in enumerate(middles):
                writer.writerow([name, output, f"{x:.6g}", *("" if c is None else c[i] for c in counts)])
    return text.getvalue()


def _counts(h: Mapping[str, Any] | None) -> list[int] | None:
    return None if h is None else [h["zero"], h["below"], *h["counts"], h["above"]]
