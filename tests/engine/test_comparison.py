"""Tests of the comparison of two compiled engines: matched by operations, summed by scope, and what is not compared."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import engine, float_engine, int8_engine, layer
from trtbuild.engine import log
from trtbuild.engine.comparison import compare_engines
from trtbuild.engine.units import layers_of
from trtbuild.reports import engine as engine_page

LOGS = Path(__file__).parents[1] / "data" / "engine_logs"
UNREAD = {"understood": False, "unread": [], "memory": {}}
NODES = {"lenet5_1/c1_1/BiasAdd": {"op": "c", "type": "Conv2D", "name": "lenet5/c1/convolution", "scope": "lenet5/c1"}}


def recorded(name: str) -> dict[str, Any]:
    layers = log.document((LOGS / f"{name}.log").read_text("utf-8"), "build.log")
    return engine_page.collect(layers, {"nodes": NODES, "tensors": {}}, {"bytes": 1_000_000})


def fusions(new: dict[str, Any], old: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(one["change"], tuple(one["operations"])) for one in compare_engines(new, old)["fusions"]]


def test_an_engine_against_itself_differs_in_nothing() -> None:
    """Whatever its layers are called: versions name them differently."""
    other = float_engine()
    for row in other["rows"]:
        row["name"] = f"__myl_{row['index']}"
    found = compare_engines(other, float_engine())

    assert (found["why"], found["notes"], found["scopes"], found["fusions"], found["types"]) == ("", [], [], [], [])
    assert not found["layers_changed"] and found["same_scopes"] == 3
    assert found["totals"] is not None and {pair["ratio"] for pair in found["totals"].values() if pair["new"]} == {1.0}


def test_a_kernel_that_scales_a_convolutions_result_is_not_fused_with_it() -> None:
    """It lists the convolution; and a layer does not compute what lowering only added a node to."""
    assert fusions(int8_engine(), float_engine()) == [
        ("vanished", ("net/a/conv", "net/a/relu")), ("vanished", ("net/b/conv", "net/b/relu")),
        ("appeared", ("net/b/relu", "net/add")),
    ]  # fmt: skip


def test_a_fusion_that_grew_did_not_vanish() -> None:
    """And the parts of one that broke apart did not appear."""
    small = engine(layer("a/conv", "a/relu"), layer("a/add", kind="pointwise"))
    large = engine(layer("a/conv", "a/relu", "a/add"))

    assert fusions(large, small) == [("appeared", ("a/conv", "a/relu", "a/add"))]
    assert fusions(small, large) == [("vanished", ("a/conv", "a/relu", "a/add"))]


def test_an_operation_that_one_record_does_not_list_is_no_fusion() -> None:
    """A version may list fewer nodes, or fold a constant."""
    assert fusions(engine(layer("a/conv")), engine(layer("a/conv", "a/bias"))) == []


def test_types_are_those_of_the_layer_that_computes_the_operation() -> None:
    """A convolution's own layer comes before the kernel that scales its result."""
    found = compare_engines(int8_engine(), float_engine())["types"]
    of = {one["operation"]: (one["kind"], one["old"], one["new"]) for one in found}

    assert of["net/a/conv"] == ("convolution", "float16 > float16", "int8 > float32")
    assert of["net/a/relu"] == ("pointwise", "float16 > float16", "float32 > int8")


def test_scopes_add_up_to_the_totals() -> None:
    """The largest difference in bytes first."""
    found = compare_engines(int8_engine(), float_engine())
    a, b, add = found["scopes"]

    assert (a["scope"], b["scope"], add["scope"], found["root"]) == ("net/a", "net/b", "net", "net")
    assert (a["layers"], a["vanished"], b["appeared"]) == ({"new": 2, "old": 1, "ratio": 2.0}, 1, 1)
    assert found["totals"] is not None and found["totals"]["bytes"] == {"new": 20000, "old": 12000, "ratio": 20 / 12}
    assert sum(one["bytes"]["new"] or 0 for one in found["scopes"]) == 20000
    assert found["kinds"]["pointwise"] == {"new": 2, "old": 1, "ratio": 2.0}


def test_weights_count_only_where_both_records_list_them() -> None:
    """RTX 1.4 lists none; without this, 1.7 would seem to move more. Work that is not stated is not zero."""
    rows = [{**row, "macs": None if row["kind"] == "convolution" else 0} for row in float_engine()["rows"]]
    heavy = [{**row, "bytes": row["bytes"] + 500} for row in float_engine()["rows"]]
    found = compare_engines(float_engine(rows=heavy), float_engine(rows=rows, constants_told=False))

    assert found["totals"] is not None and found["totals"]["bytes"]["ratio"] == 1.0
    assert found["totals"]["macs"] == {"new": 20000, "old": None, "ratio": None}
    assert found["scopes"] == [] and "old engine does not list weights" in found["notes"][0]


def test_bytes_that_one_side_does_not_state_are_not_summed() -> None:
    """And the note says of how many layers."""
    rows = float_engine()["rows"]
    rows[0]["bytes"] = None
    found = compare_engines(float_engine(), float_engine(rows=rows))

    assert found["totals"] is not None and found["totals"]["bytes"] == {"new": 12000, "old": None, "ratio": None}
    assert found["notes"] == ["the bytes of 1 old and 0 new layers are not stated, so there is no sum"]
    assert found["scopes"] == []  # a scope whose bytes are not stated has not changed


def without_own(made: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(made)
    for row in made["rows"]:
        del row["own_operations"]
    return made


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        (None, float_engine(), "the new engine's layers are not recorded"),
        (float_engine(), None, "the old engine's layers are not recorded"),
        (float_engine(), UNREAD, "the old engine's layers were not understood"),
        (without_own(float_engine()), float_engine(), "the new report was written before layers were compared"),
    ],
)  # fmt: skip
def test_what_was_not_recorded_is_not_compared(new: Any, old: Any, why: str) -> None:
    """Nothing is taken for a change."""
    found = compare_engines(new, old)

    assert found["why"].startswith(why) and found["totals"] is None and not found["layers_changed"]


def test_layers_without_operations_still_count() -> None:
    """A kernel that the compiler inserted has no node; its scope has one more layer."""
    more = engine(layer("a/conv"), layer(kind="reformat", scope="a", name="copy"))
    found = compare_engines(more, engine(layer("a/conv")))

    assert found["layers_changed"] and found["fusions"] == []
    assert [(one["scope"], one["layers"]["new"]) for one in found["scopes"]] == [("a", 2)]


def test_the_layers_of_a_scope_are_those_inside_it() -> None:
    """By whole names; another scope that begins alike is another scope."""
    made = engine(layer("net/a/conv"), layer("net/a2/conv"), layer("net/a/x/conv"))

    assert sum(layers_of(made, "net/a").values()) == 2 and sum(layers_of(made).values()) == 3


def test_estimates_are_compared_for_one_device() -> None:
    """An estimate of another device says nothing about the engine."""

    def estimate(name: str, us: float) -> Any:
        return {"device": {"name": name}, "total_us": us}

    engines = float_engine(), float_engine()
    one = compare_engines(*engines, estimates=(estimate("L4", 30.0), estimate("L4", 20.0)))
    two = compare_engines(*engines, estimates=(estimate("L4", 30.0), estimate("Thor", 20.0)))

    assert one["totals"] is not None and one["totals"]["estimate_us"]["ratio"] == 1.5
    assert two["totals"] is not None and two["totals"]["estimate_us"]["ratio"] is None and two["notes"]


def test_engines_of_two_versions_are_compared_by_what_they_compute() -> None:
    """Real records of LeNet-5 in RTX 1.4, which states less, and in 1.7."""
    found = compare_engines(recorded("lenet-fp16-rtx-1.7-dynamic"), recorded("lenet-fp16-rtx-1.4-dynamic"))

    assert found["why"] == "" and found["notes"]
    assert found["totals"] is not None and found["totals"]["bytes"]["ratio"] is None
