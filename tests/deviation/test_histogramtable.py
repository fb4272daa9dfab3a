"""Tests of the table of histograms that ``dvc plots`` draws."""

from __future__ import annotations

import csv
import io

import numpy as np

from trtbuild.deviation.histogramtable import csv_text
from trtbuild.deviation.statistics import LOG10_EDGES, histogram

HOSTILE = 'a,"b"\n</script>;\u001e'


def test_every_element_is_counted_once_and_names_survive() -> None:
    """Exact, below, each bin and above, in their order; any name comes back as it was."""
    found = histogram(np.zeros(5), np.array([0.0, 1e-15, 1.5e-12, 1.5, 1e9]))
    text = csv_text({"validation": {"total": {HOSTILE: found}, "engine": {}}}, [float(e) for e in LOG10_EDGES])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    counted = {float(row["log10_error"]): int(row["total"]) for row in rows if row["total"] != "0"}

    assert list(rows[0]) == ["set", "output", "log10_error", "total", "engine"]
    assert {row["output"] for row in rows} == {HOSTILE}
    assert (len(rows), rows[0]["set"], rows[0]["engine"]) == (147, "validation", "")
    assert counted == {-13.0: 1, -12.0625: 1, -11.8125: 1, 0.1875: 1, 6.0625: 1}
