"""Tests of the layer page's data."""

from __future__ import annotations

import json

import pytest

from tests.support.pages import layer, layers_json, numbers
from trtbuild.layers.jumps import find_jumps
from trtbuild.reports.layers import charts, collect, grouped, notes
from trtbuild.reports.scopebands import bands

ROWS = [layer("a"), layer("b", "a", local=0.4), layer("c", "b", scope="head/out", type="MatMul")]
LIKE = [layer(f"like{i}") for i in range(3)]


def test_the_first_jump_leads_to_its_row() -> None:
    """By index, with a sentence that says how much."""
    found = collect(layers_json(*ROWS, total=find_jumps([*LIKE, *ROWS], "total")))
    (jump,) = found["jumps"]["total"]

    assert found["rows"][jump["index"]]["path"] == "net/b"
    assert jump["says"] == "its own error is 40 times that of other layers of the same dtype"
    assert found["rows"][1]["jumps"] == ["first jump (total)"]


def test_groups_start_with_the_largest_error_of_their_own() -> None:
    """Scopes by their first two components."""
    groups = grouped(collect(layers_json(*ROWS))["rows"], "top_scope")

    assert [(g["name"], g["count"], g["worst_local"]) for g in groups] == [("net", 2, 0.4), ("head/out", 1, 0.01)]


def test_an_exact_layer_stands_on_a_line_of_its_own() -> None:
    """Half a decade below the smallest error of a logarithmic axis, labelled 0; what was not compared is a gap."""
    exact = layer("exact", cumulative={"total": {**numbers(0.0), "nrmse": 0.0, "sqnr_db": None}})
    median, _, quality = charts({"v": collect(layers_json(ROWS[0], exact, layer("none", cumulative={})))})
    (line,) = [trace for trace in median["data"] if trace["name"] == "total: median"]

    assert line["y"] == [0.01, None, 10**-8.5, None, None]
    assert line["customdata"] == ["#layer-0", None, "#layer-1", None, "#layer-2"]
    assert [note["text"] for note in median["layout"]["annotations"]] == ["0"]
    assert median["layout"]["annotations"][0]["y"] == -8.5 and median["layout"]["yaxis"]["range"][0] < -8.5
    assert line["text"][2].endswith("<br>0")
    assert [note["text"] for note in quality["layout"]["annotations"]] == ["exact"]
    json.dumps(quality, allow_nan=False)


def test_an_axis_without_exact_layers_has_no_such_line() -> None:
    """It scales as before."""
    figure = charts({"v": collect(layers_json(*ROWS))})[0]

    assert "annotations" not in figure["layout"] and "range" not in figure["layout"]["yaxis"]


def test_layers_have_their_scopes_on_the_axis() -> None:
    """One label for each run of layers, in the middle below them."""
    axis = charts({"v": collect(layers_json(*ROWS))})[0]["layout"]

    assert (axis["xaxis"]["ticktext"], axis["xaxis"]["tickvals"]) == (["net", "head/out"], [0.5, 2.0])
    assert [(shape["x0"], shape["x1"]) for shape in axis["shapes"]] == [(1.5, 2.5)]


@pytest.mark.parametrize(
    ("scopes", "labels"),
    [
        (["m/a/x", "m/a/y", "m/b/z"], ["a/x", "a/y", "b/z"]),
        ([f"m/block_{i // 2}_{'ab'[i % 2]}" for i in range(20)], [f"block_{i}" for i in range(10)]),
        (["m/a", "", "m/a"], ["a", "(no scope)", "a"]),
        ([f"m/{'ab'[i % 2]}{i}/x" for i in range(48)], None),
        ([], []),
    ],
)  # fmt: skip
def test_bands_are_few_enough_to_read(scopes: list[str], labels: list[str] | None) -> None:
    """Down to the depth that fits; where none does, neighbours share one."""
    found = bands(scopes, 12)

    assert len(found) <= 12 and (labels is None or [band.label for band in found] == labels)
    assert [i for band in found for i in range(band.first, band.last + 1)] == list(range(len(scopes)))


def test_variants_lie_over_one_another_by_tensor() -> None:
    """A tensor that one of them lacks moves no other."""
    one, other = collect(layers_json(*ROWS)), collect(layers_json(ROWS[0], ROWS[2]))
    figure = charts({"rtx-1.6": one, "rtx-1.7": other})[1]

    assert [(trace["name"], trace["x"]) for trace in figure["data"]] == [("rtx-1.6", [0, 1, 2]), ("rtx-1.7", [0, 2])]
    assert len({trace["marker"]["symbol"] for trace in figure["data"]}) == 2


def test_a_point_leads_to_its_row_in_the_table() -> None:
    """The page's script follows it."""
    figure = charts({"v": collect(layers_json(*ROWS))})[0]

    assert figure["data"][0]["customdata"] == ["#layer-0", "#layer-1", "#layer-2"]


@pytest.mark.parametrize(("moved", "warned"), [(0.001, False), (0.01, True)])
def test_taps_that_change_the_outputs_are_told(moved: float, warned: bool) -> None:
    """When they move them by more than a tenth of the deviation (2 % here)."""
    made = layers_json(*ROWS)
    made["taps"]["outputs"]["lowered"] = {"compared": ["y"], "equal": False, "max_abs": 1.0, "nrmse": moved}

    assert any("lowered graph" in note for note in notes(made)) is warned


def test_what_was_left_out_is_told() -> None:
    """With its reason."""
    made = layers_json(*ROWS)
    made["taps"]["wrongly_mapped"] = {"t:0": "its values differ"}

    made["taps"]["undecided"] = {f"u{i}:0": "nobody knows" for i in range(7)}

    assert notes(made) == [
        "t:0 was left out: its values differ.",
        "u0:0, u1:0, u2:0, u3:0, u4:0 and 2 more were left out: nobody knows.",
    ]
