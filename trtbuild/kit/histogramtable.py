"""Histograms of log10 |error| as one flat CSV, which ``dvc plots show`` draws."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

COLUMNS = ("set", "hop", "output", "log10_error", "count")
EXACT_LEFT_OF_EDGES = 1.0  # decades: exact equality has no logarithm, so its bar stands apart


def csv_text(sets: Mapping[str, Mapping[str, Mapping[str, Any]]], edges: Sequence[float]) -> str:
    """One row for each bin of ``sets[set][hop][output]``, at its middle.

    Exact equality stands one decade left of the first edge; what lies below or above all edges half a bin outside.
    """
    width = edges[1] - edges[0]
    middles = [edges[0] - EXACT_LEFT_OF_EDGES, edges[0] - width / 2]
    middles += [(low + high) / 2 for low, high in pairwise(edges)] + [edges[-1] + width / 2]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, hops in sets.items():
        for hop, outputs in hops.items():
            for output, h in sorted(outputs.items()):
                counts = [h["zero"], h["below"], *h["counts"], h["above"]]
                writer.writerows(
                    (name, hop, output, f"{x:.6g}", count) for x, count in zip(middles, counts, strict=True)
                )
    return text.getvalue()
