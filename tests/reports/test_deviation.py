"""Tests of what the deviation page shows, and of its pictures."""

from __future__ import annotations

import json
from typing import Any

from tests.reports.test_render import HOSTILE, ROOT
from tests.support.pages import page, template_data
from trtbuild.base.packaged import templates
from trtbuild.reports.deviation import PICTURED_OUTPUTS, charts, sections
from trtbuild.reports.render import render


def figure(title: str, **changed: Any) -> dict[str, Any]:
    """The first figure of that title, with its table."""
    (output,) = sections(page(**changed))[0]["outputs"]
    return next(f for f in output["figures"] if f["chart"]["title"].startswith(title))


def test_a_histogram_shows_every_element_of_every_hop() -> None:
    """One line for each hop, and a bar for exact equality; the table counts the same."""
    made = figure("Distribution", moves=(0.0, 2.0**-7))
    lines = {t["legendgroup"]: sum(filter(None, t["y"])) for t in made["chart"]["data"] if t["type"] == "scatter"}
    bars = {t["legendgroup"]: t["y"] for t in made["chart"]["data"] if t["type"] == "bar"}

    assert lines == {"export": 0, "precision": 16, "total": 16}
    assert bars == {"export": [16], "precision": [None], "total": [None]}
    assert made["table"]["rows"] == [["exact", 16, 0, 0], ["1e-3 – 1e-2", 0, 16, 16]]


def test_bins_stand_in_the_middle_of_their_edges() -> None:
    """The error 2^-7 has the logarithm -2.107, between -2.125 and -2."""
    trace = next(t for t in figure("Distribution", moves=(0.0, 2.0**-7))["chart"]["data"] if t["name"] == "total")
    place = next(i for i, count in enumerate(trace["y"]) if count)

    assert trace["x0"] + place * trace["dx"] == -2.0625


def test_the_share_above_an_error_falls_and_the_limit_is_drawn() -> None:
    """All elements are above the smallest error; a log axis shows no zero; the limit 0.1 is at -1."""
    chart = figure("Share")["chart"]
    known = [value for value in chart["data"][1]["y"] if value is not None]

    assert known[0] == 1.0
    assert known == sorted(known, reverse=True)
    assert 0.0 not in known
    assert [(shape["x0"], shape["x1"]) for shape in chart["layout"]["shapes"]] == [(-1.0, -1.0)]


def test_every_picture_has_a_table_and_an_id_of_its_own() -> None:
    """Over all sets and outputs."""
    made = page(outputs=("a", "b"), sets=("night",))
    figures = [f for s in sections(made) for output in s["outputs"] for f in output["figures"]]
    identities = [f["chart"]["id"] for f in figures]

    assert len(identities) == len(set(identities)) == len(charts(made))
    assert all(f["table"]["rows"] and f["caption"] for f in figures)
    assert all(len(row) == len(f["table"]["head"]) for f in figures for row in f["table"]["rows"])


def test_equal_outputs_break_no_picture() -> None:
    """Exact equality draws a bar, and nothing else."""
    (output,) = sections(page(moves=(0.0, 0.0)))[0]["outputs"]

    assert output["guilty"] == "nobody"
    assert json.dumps(output["figures"], allow_nan=False)


def test_nothing_finite_breaks_no_picture() -> None:
    """NaN everywhere leaves no number to draw."""
    (output,) = sections(page(moves=(float("nan"), 0.0)))[0]["outputs"]

    assert output["guilty"] == "the exporter"
    assert json.dumps(output["figures"], allow_nan=False)


def test_no_name_is_in_a_picture() -> None:
    """Plotly takes some text as markup; names are in the page's own text only."""
    assert HOSTILE not in json.dumps(charts(page(outputs=(HOSTILE,))), ensure_ascii=False)


def test_random_sets_are_labelled_and_the_judged_one_is_said() -> None:
    """The fixture's further sets are random, its validation set is not."""
    text = render(templates(ROOT), "deviation.html.j2", template_data(page(sets=("noise",)), "deviation"))

    assert "Set “noise” (random numbers)" in text
    assert "Set “validation”</h2>" in text
    assert text.count("The thresholds judge this set.") == 1


def test_the_outputs_that_moved_most_have_pictures() -> None:
    """However many there are, the page stays small, and says what it leaves out."""
    made = page(outputs=tuple(f"y{i}" for i in range(PICTURED_OUTPUTS + 3)))
    (section,) = sections(made)

    assert sum(bool(output["figures"]) for output in section["outputs"]) == PICTURED_OUTPUTS
    assert section["unpictured"] == 3
