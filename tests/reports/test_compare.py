"""Tests of what changed between two reports."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.pages import layer, layers_json
from tests.support.sweeps import MACHINE, judge, latency, report
from trtbuild.layers.jumps import floor
from trtbuild.reports import layers
from trtbuild.reports.compare import compare, error_ratio
from trtbuild.reports.comparelatency import compare_latency


def changed(**parts: Any) -> dict[str, Any]:
    """A report with some of its parts replaced."""
    return {**report(), **parts}


def with_layers(*nrmse: float, dtype: str = "int8", jump: int | None = None) -> dict[str, Any]:
    """A chain of layers with these cumulative errors."""
    rows = [layer(f"conv{i}", dtype=dtype) for i in range(len(nrmse))]
    for row, value in zip(rows, nrmse, strict=True):
        row["cumulative"]["total"]["nrmse"] = value
    why = {"why": "outlier", "growth": 2.0, "local": 0.3, "times_typical": 9.0, "times_expected": None, "alone": False}
    jumps = [] if jump is None else [{"name": f"conv{jump}", **why}]
    return changed(layers=layers.collect(layers_json(*rows, total=jumps)))


def test_a_report_against_itself_changed_nothing() -> None:
    """And says so in one line."""
    found = compare(report(), report())

    assert found["summary"] == "segnet: nothing that counts changed, the engine is the same"
    assert {pair["ratio"] for pair in found["deviation"]["scores"].values()} == {1.0}
    assert all(row["equal"] for row in found["environment"])


@pytest.mark.parametrize(
    ("metric", "new", "old", "ratio"),
    [
        ("rmse", 0.3, 0.1, 3.0), ("rmse", 0.0, 0.0, 1.0), ("rmse", 0.1, 0.0, None), ("rmse", None, 0.1, None),
        ("cosine", 0.97, 0.99, 3.0), ("sqnr_db", 20.0, 40.0, 10.0), ("bias", -0.2, 0.1, 2.0),
        ("sqnr_db", -1e9, 1e9, None), ("rmse", 1.0, 5e-324, None),
    ],
)  # fmt: skip
def test_a_ratio_above_one_is_more_error(metric: str, new: Any, old: Any, ratio: Any) -> None:
    """Also of metrics whose larger value is the better one."""
    assert error_ratio(metric, new, old) == pytest.approx(ratio)


def test_a_verdict_that_judges_no_more_is_a_change() -> None:
    """Nothing fails, and yet it must not look like a pass."""
    new = report()
    judge(new, "unjudged")

    assert compare(new, report())["summary"].startswith("segnet: PASS → UNJUDGED")


def test_a_verdict_that_turns_is_said_first() -> None:
    """With the checks that did it."""
    new = report()
    new["verdict"] = copy.deepcopy(new["verdict"]) | {"passed": False}
    new["verdict"]["checks"]["scores: max_abs"]["passed"] = False
    found = compare(new, report())

    assert found["verdict"]["now_failing"] == ["scores: max_abs"]
    assert found["summary"].startswith("segnet: PASS → FAIL; now failing: scores: max_abs")


def test_a_limit_that_was_moved_is_told() -> None:
    """A pass by a wider limit is not the same pass."""
    new = report()
    new["verdict"]["checks"]["scores: max_abs"]["limit"] = 1.0
    assert compare(new, report())["verdict"]["limits_changed"] == ["scores: max_abs"]


def test_the_first_layer_that_moved_is_the_one_in_topological_order() -> None:
    """Not the one that moved most; a factor of three does not count as a move."""
    found = compare(with_layers(0.03, 0.08, 0.9), with_layers(0.01, 0.02, 0.02))["layers"]

    assert (found["first"]["name"], found["first"]["ratio"], found["moved"]) == ("conv1", pytest.approx(4.0), 2)


def test_rounding_is_no_move() -> None:
    """Ten times the error below the floor of the dtype is still only rounding; a layer that got better moved too."""
    tiny, least = floor("int8") / 2, floor("int8") * 2

    assert compare(with_layers(tiny), with_layers(tiny / 10))["layers"]["first"] is None
    assert compare(with_layers(least / 10), with_layers(least))["layers"]["first"]["name"] == "conv0"


@pytest.mark.parametrize(
    ("new", "old", "change"), [(1, None, "appeared"), (None, 1, "vanished"), (1, 0, "elsewhere"), (1, 1, "same"),
                               (None, None, "none")]
)  # fmt: skip
def test_a_first_jump_appears_or_vanishes(new: int | None, old: int | None, change: str) -> None:
    """Or names another layer than before."""
    found = compare(with_layers(0.1, 0.1, jump=new), with_layers(0.1, 0.1, jump=old))
    assert found["layers"]["jump"]["change"] == change


def test_other_outputs_are_named() -> None:
    """An output that is gone has no numbers to compare."""
    found = compare(report(outputs=("a", "b")), report(outputs=("b", "c")))

    assert (found["outputs_only_new"], found["outputs_only_old"]) == (["a"], ["c"])
    assert list(found["deviation"]) == ["b"]


@pytest.mark.parametrize(
    ("new", "label"), [(1.15, "no change"), (1.3, "slower"), (0.7, "faster"), (1.0, "no change")]
)  # fmt: skip
def test_medians_differ_when_their_intervals_do_not_overlap(new: float, label: str) -> None:
    """Each is known to 0.1 ms."""
    assert compare_latency(latency(new), latency(1.0))["label"] == label


def test_a_certain_difference_of_a_percent_is_noise() -> None:
    """However narrow the intervals are."""
    assert compare_latency(latency(1.01, 0.001), latency(1.0, 0.001))["label"] == "no change"


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (None, "the new side was built without latency"),
        (latency(batch=8), "other batch"),
        (latency(environment={**MACHINE, "cpu": "slow", "threads": 4}), "other device, threads"),
        (latency(sides=[{"name": "lowered", "measured": False, "why": "no bf16 Conv"}]),
         "the new side was not measured: no bf16 Conv"),
        (latency(sides=[{**latency()["sides"][0], "p50_ms": {"value": 1.0, "low": None, "high": None}}]),
         "the new side has too few calls for an interval"),
    ],
)  # fmt: skip
def test_what_was_measured_otherwise_is_not_compared(new: Any, why: str) -> None:
    """The reason is given; a busier machine is not one."""
    found = compare_latency(new, latency(environment={**MACHINE, "load_average": "9.9"}))
    assert (found["label"], found["why"], found["ratio"]) == ("not comparable", why, None)


def test_other_libraries_are_told_apart() -> None:
    """By name, old and new."""
    new = report()
    new["engine"] = {**new["engine"], "version": "1.8", "sha256": "c" * 64}
    rows = {row["name"]: row for row in compare(new, report())["environment"] if not row["equal"]}

    assert set(rows) == {"TensorRT", "engine sha256"}
    assert (rows["TensorRT"]["old"], rows["TensorRT"]["new"]) == ("tensorrt-rtx 1.7", "tensorrt-rtx 1.8")
