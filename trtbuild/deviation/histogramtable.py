"""Histograms of log10 |error| as one flat CSV, which ``dvc plots show`` draws."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

ABOUT = ("set", "output", "log10_error")  # followed by one column of counts for each hop
EXACT_LEFT_OF_EDGES = 1.0  # decades: exact equality has no logarithm, so its bar stands apart


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
