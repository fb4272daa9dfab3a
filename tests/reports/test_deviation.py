"""Tests of the charts of the deviation page."""

from __future__ import annotations

from tests.pages import page
from trtbuild.reports.deviation import charts


def test_two_charts_for_each_output() -> None:
    """A histogram and the share above an error, one line for each hop."""
    figures = charts(page(outputs=("a", "b")))

    assert [(f["output"], f["id"]) for f in figures] == [
        ("a", "histogram-0"), ("a", "above-0"), ("b", "histogram-1"), ("b", "above-1"),
    ]  # fmt: skip
    assert all(len(figure["data"]) == 3 for figure in figures)


def test_a_histogram_shows_every_count_in_the_middle_of_its_bin() -> None:
    """As many points as bins."""
    made = page()
    trace = charts(made)[0]["data"][1]

    assert trace["y"] == made["outputs"]["scores"]["histograms"]["precision"]["counts"]
    assert (len(trace["x"]), trace["x"][0]) == (144, -11.9375)


def test_the_share_above_an_error_falls_to_nothing() -> None:
    """All elements lie above the smallest error, none above the largest; a log axis shows no zero."""
    share = charts(page())[1]["data"][1]["y"]
    known = [value for value in share if value is not None]

    assert known[0] == 1.0
    assert known == sorted(known, reverse=True)
    assert share[-1] is None
    assert 0.0 not in known


def test_equal_outputs_have_no_share() -> None:
    """Exact equality draws nothing."""
    assert {value for trace in charts(page(moves=(0.0, 0.0)))[1]["data"] for value in trace["y"]} == {None}
