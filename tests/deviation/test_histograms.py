"""Tests of histograms: their bins, and the table that ``dvc plots`` draws."""

from __future__ import annotations

import csv
import io

import numpy as np

from trtbuild.deviation.histograms import LOG10_EDGES, Bins, csv_text
from trtbuild.deviation.statistics import histogram

HOSTILE = 'a,"b"\n</script>;\u001e'


def test_every_element_is_counted_once_and_names_survive() -> None:
    """Exact, below, each bin and above, in order; any name comes back unchanged."""
    found = histogram(np.zeros(5), np.array([0.0, 1e-15, 1.5e-12, 1.5, 1e9]))
    text = csv_text({"validation": {"total": {HOSTILE: found}, "engine": {}}}, [float(e) for e in LOG10_EDGES])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    counted = {float(row["log10_error"]): int(row["total"]) for row in rows if row["total"] != "0"}

    assert list(rows[0]) == ["set", "output", "log10_error", "total", "engine"]
    assert {row["output"] for row in rows} == {HOSTILE}
    assert (len(rows), rows[0]["set"], rows[0]["engine"]) == (147, "validation", "")
    assert counted == {-13.0: 1, -12.0625: 1, -11.8125: 1, 0.1875: 1, 6.0625: 1}


def test_a_histogram_is_numpys() -> None:
    """Also for errors exactly on an edge, and next to one."""
    edges = 10.0**LOG10_EDGES
    error = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, np.inf), [0.0]])

    assert histogram(np.zeros(len(error)), error)["counts"] == np.histogram(error, edges)[0].tolist()


def test_a_histogram_has_fixed_edges() -> None:
    """Eight bins per decade from 1e-12 to 1e6, and counts of the errors outside."""
    counted = histogram(np.zeros(5), np.array([0.0, 1e-15, 1.5e-12, 1.5, 1e9]))

    assert (len(LOG10_EDGES), LOG10_EDGES[0], LOG10_EDGES[-1]) == (145, -12.0, 6.0)
    assert (counted["zero"], counted["below"], counted["above"]) == (1, 1, 1)
    assert [i for i, count in enumerate(counted["counts"]) if count] == [1, 97]


def test_bins_are_those_of_a_search() -> None:
    """Any bit pattern that is a number from zero on, and all neighbours of the edges."""
    edges = np.array([1e-300, 1e-3, 0.5, 0.55, 1.0, 3.0, 2.0**60])
    beside = [np.nextafter(edges, 0), edges, np.nextafter(edges, np.inf)]
    draw = np.random.default_rng(0).integers(0, np.float64(np.inf).view(np.int64), 20_000).view(np.float64)
    values = np.concatenate([draw, *beside, [0.0, 5e-324, np.finfo(np.float64).max]])
    wanted = np.where(values == 0, 0, np.searchsorted(edges, values, side="right") + 1)

    assert np.array_equal(Bins(edges)(values), wanted)
