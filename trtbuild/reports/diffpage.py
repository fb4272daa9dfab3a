"""Comparisons of two reports -> one HTML page without scripts of its own: what matters first, every table folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trtbuild.documents.comparison import Comparison
from trtbuild.reports.changes import changes, who
from trtbuild.reports.compareengine import fusions_of, total_rows
from trtbuild.reports.comparetable import parts
from trtbuild.reports.render import render


def page(comparisons: Sequence[Comparison], templates: Mapping[str, Path]) -> str:
    """The text of the page; equal comparisons give equal bytes."""
    sections = [
        {
            "who": who(one), "says": changes(one), "summary": one["summary"], "engines": one["compiled"],
            "totals": total_rows(one["compiled"]), "scopes": _scopes(one), "parts": parts(one),
        }
        for one in comparisons
    ]  # fmt: skip
    title = sections[0]["who"] if len(sections) == 1 else f"{len(sections)} comparisons"
    return render(templates, "diff.html.j2", {"sections": sections, "charts": [], "title": title})


def _scopes(comparison: Comparison) -> list[Mapping[str, object]]:
    """Rows of scopes, with the lengths of two bars as shares of the longest one."""
    found = comparison["compiled"]["scopes"]
    longest = max((one["bytes"][side] or 0 for one in found for side in ("old", "new")), default=0) or 1
    return [
        {**one, "fusions": fusions_of(one),
         "bars": [round(100 * (one["bytes"][side] or 0) / longest, 2) for side in ("old", "new")]}
        for one in found
    ]  # fmt: skip
