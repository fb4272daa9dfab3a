"""Tests of the layer page's data."""

from __future__ import annotations

import pytest

from tests.support.pages import layer, layers_json, numbers
from trtbuild.layers.jumps import find_jumps
from trtbuild.reports.layers import charts, collect, grouped, notes

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


def test_an_exact_layer_is_a_gap_on_a_log_axis() -> None:
    """Zero has no logarithm."""
    exact = layer("exact", cumulative={"total": numbers(0.0)})
    figure = charts({"v": collect(layers_json(ROWS[0], exact))})[0]
    (median,) = [trace for trace in figure["data"] if trace["name"] == "total: median"]

    assert median["y"] == [0.01, None]


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
