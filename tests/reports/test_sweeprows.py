"""Tests of the page of a large sweep: its variants are data that a script draws."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.sweeps import entry, rendered, sweep
from trtbuild.reports import sweeprows


def test_rows_of_a_large_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variant, with its words and its link; the page itself has the matrix, and says what needs the script."""
    entries = sweep()
    small = rendered(entries)
    monkeypatch.setattr(sweeprows, "LARGE", len(entries) - 1)
    large = rendered(entries)
    found = json.loads(re.search(r"const sweep = (.*);\n", large["rows.js"])[1])  # type: ignore[index]
    assert {row[0] for row in found["rows"]} == {entry["id"] for entry in entries}
    page = json.loads(large["sweep.json"])
    for row, variant in zip(found["rows"], page["variants"], strict=True):
        assert row[0] == variant["id"]
        assert found["texts"][row[1]].lower() == variant["state"]
        if variant["links"]:
            assert row[len(found["heads"])] == variant["links"]["overview"]
    assert 'src="rows.js"' in large["sweep.html"] and "needs JavaScript" in large["sweep.html"]
    assert "rows.js" not in small and "rows-filter" not in small["sweep.html"]
    assert large["sweep.json"] == small["sweep.json"]


def test_one_script_sorts_the_rows_of_a_large_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has all of them: the pages' own would sort those that are drawn, and the other way round."""
    entries = sweep()
    monkeypatch.setattr(sweeprows, "LARGE", len(entries) - 1)
    page = rendered(entries)["sweep.html"]
    assert re.search(r'<table id="rows" class="[^"]*\bdrawn\b', page)
    assert 'querySelectorAll("table.sort:not(.drawn)")' in page


def test_a_list_that_ends_says_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a reader takes it for all of them; what is left out is in sweep.json."""
    entries = [entry("fail", model=f"m{i}") for i in range(12)]
    whole = rendered(entries)["sweep.html"]
    monkeypatch.setattr(sweeprows, "LARGE", 10)
    page = rendered(entries)["sweep.html"]
    assert "The first 2 of 12;" in page and page.count("scores: max_abs</td>") == 2
    assert "The first" not in whole and whole.count("scores: max_abs</td>") == 12
