"""Pictures of one output's deviation, each a Plotly figure with the table of the same numbers.

Figures hold no text that a model or a user chose: Plotly reads some of it as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtbuild.documents.report import Output
from trtbuild.reports import errorplaces
from trtbuild.reports.errorhistograms import LINES, above, histogram
from trtbuild.reports.figure import Figure


def figures(output: Output, edges: Sequence[float], place: str, limits: Mapping[str, float]) -> list[Figure]:
    """All pictures of one output; ``place`` makes their ids unique."""
    detail = output["details"]["total"]
    histograms = {hop: output["histograms"][hop] for hop in LINES if hop in output["histograms"]}
    made = [
        histogram(histograms, edges),
        above(histograms, edges, limits),
        errorplaces.by_magnitude(detail["by_magnitude"]),
        *(errorplaces.channels(found) for found in detail["channels"]),
        *errorplaces.positions(detail["positions"]),
        errorplaces.samples(detail["samples"]),
    ]
    kept = [figure for figure in made if figure is not None]
    for number, figure in enumerate(kept):
        figure["chart"]["id"] = f"chart-{place}-{number}"
    return kept
