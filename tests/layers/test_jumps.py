"""Tests of which layer is blamed."""

from __future__ import annotations

from tests.support.pages import layer, numbers
from trtbuild.layers.jumps import find_jumps

QUIET = [layer(f"quiet{i}") for i in range(5)]


def names(*rows: dict[str, object], hop: str = "total") -> list[tuple[str, str]]:
    return [(jump["name"], jump["why"]) for jump in find_jumps([*QUIET, *rows], hop)]


def test_layers_that_are_all_alike_are_not_blamed() -> None:
    """Quantisation adds some error to every layer."""
    assert names() == []


def test_a_layer_far_above_its_like_is_blamed() -> None:
    """Five times the median of its dtype."""
    assert names(layer("wrong", local=0.06)) == [("wrong", "outlier")]


def test_a_layer_above_what_quantising_it_costs_is_blamed() -> None:
    """Although others make as much by nature."""
    assert names(layer("wrong", local=0.03, expected_nrmse=0.01)) == [("wrong", "excess")]
    assert names(layer("costly", local=0.03, expected_nrmse=0.025)) == []


def test_wide_calibration_ranges_are_no_fault_of_one_layer() -> None:
    """All layers then cost more than this input alone would need."""
    wide = [layer(f"wide{i}", local=0.03, expected_nrmse=0.01) for i in range(9)]

    assert find_jumps(wide, "total") == []


def test_an_error_that_was_carried_in_is_not_blamed() -> None:
    """Local errors are causal, cumulative ones are not."""
    after = layer("after", "wrong", cumulative={"total": numbers(0.5)})

    assert names(layer("wrong", local=0.5, cumulative={"total": numbers(0.5)}), after) == [("wrong", "outlier")]


def test_growth_is_the_measure_where_no_local_error_is_known() -> None:
    """Ten times the largest of its inputs."""
    grown = layer("grown", "quiet0", local=None, cumulative={"total": numbers(0.3)})
    carried = layer("carried", "grown", local=None, cumulative={"total": numbers(0.3)})

    assert names(grown, carried) == [("grown", "growth")]


def test_layers_of_another_dtype_are_measured_by_their_own_like() -> None:
    """An int8 error in a layer that was to stay in float32 stands out."""
    floats = [layer(f"float{i}", dtype="float32", local=1e-7, expected_nrmse=None) for i in range(3)]

    assert names(*floats, layer("wrong", dtype="float32", expected_nrmse=None)) == [("wrong", "outlier")]


def test_the_exporter_is_measured_as_float32() -> None:
    """Whatever the lowered graph computes in."""
    wrong = layer("wrong", local=None)
    wrong["local"] = {"export": numbers(1e-3)}

    assert names(wrong, hop="export") == [("wrong", "outlier")]


def test_nan_out_of_finite_inputs_is_always_blamed() -> None:
    """However small the rest of its error."""
    broken = layer("broken")
    broken["local"]["total"]["nonfinite"] = 1

    assert names(broken) == [("broken", "nonfinite")]


def test_exact_layers_do_not_lower_the_measure() -> None:
    """A reshape adds no error; the median is over the layers that do."""
    small = {"total": numbers(2e-6)}
    about = {"dtype": "float32", "expected_nrmse": None, "cumulative": small}
    exact = [layer(f"exact{i}", local=0.0, **about) for i in range(9)]
    noisy = [layer(f"noisy{i}", local=2e-5, **about) for i in range(4)]

    assert names(*exact, *noisy) == []


def test_a_layer_that_only_amplifies_is_not_blamed() -> None:
    """A softmax, a saturating activation, a small part of a split: exact by themselves, whatever comes out of them."""
    exact = {"dtype": "float32", "expected_nrmse": None, "local": 0.0}
    softmax = layer("softmax", "quiet0", **exact, cumulative={"total": numbers(0.9)})
    first = layer("first", local=0.02, cumulative={"total": numbers(0.2)})

    assert names(softmax, first) == []
    assert find_jumps([softmax], "total") == []


def test_an_error_that_large_constants_hide_is_blamed_where_it_is_made() -> None:
    """A mask of -1e9 hides a sum's error; the layers computed from it show it, but are innocent."""
    about = {"dtype": "float32", "expected_nrmse": None}
    hidden = numbers(5e-9) | {"hidden": 0.5}
    mask = layer("mask", **about, cumulative={"total": hidden})
    mask["local"] = {"total": hidden}
    softmax = layer("softmax", "mask", **about, local=0.0, cumulative={"total": numbers(1.5)})

    assert names(mask, softmax) == [("mask", "outlier")]


def test_nan_is_blamed_where_it_is_made() -> None:
    """Not in the layers that pass it on."""
    made, passed = layer("made"), layer("passed", "made")
    for row in (made, passed):
        row["local"]["total"]["nonfinite"] = 1

    assert names(made, passed) == [("made", "nonfinite")]
