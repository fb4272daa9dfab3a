"""Tests of the decision about an upgrade: go, no-go, why, and what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.engines import float_engine, int8_engine
from tests.support.sweeps import entry
from trtbuild.base.packaged import templates
from trtbuild.pipeline.upgradedocument import Pair, lines, passed_ids, upgrade_document
from trtbuild.reports.sweepversions import GRAPHS_ONLY, SOME_GRAPHS
from trtbuild.reports.upgrade import render_all

OLD, NEW = "rtx-1.6", "rtx-1.7"


def decided(old: str = "pass", new: str = "pass", reason: str = "", **changed: Any) -> dict[str, Any]:
    """The one variant of an upgrade whose sides ended so."""
    pair = Pair(entry(old, reason, tensorrt=OLD), entry(new, reason, tensorrt=NEW), **changed)
    (model,) = upgrade_document(OLD, NEW, [pair])["models"]
    (variant,) = model["variants"]
    assert model["decision"] == variant["decision"]
    return variant


def test_what_passes_is_go_and_compared_with_the_old_version() -> None:
    """The comparison is there as data."""
    v = decided()

    assert (v["decision"], v["reason"], v["compared_with"]) == ("go", "within its thresholds", "old version")
    assert v["comparison"]["old"]["tensorrt"] == OLD and v["comparison"]["new"]["tensorrt"] == NEW


def test_a_decision_without_a_run_of_the_engine_says_so() -> None:
    """Or a reader would take the same numbers for the new version's good behaviour."""
    graphs = Pair(entry(tensorrt=OLD), entry(tensorrt=NEW))
    engines = Pair(entry(tensorrt=OLD), entry(tensorrt=NEW))
    for side in (engines.old, engines.new):
        side["report"]["runtimes"]["engine"] = {
            "executes": "engine",
            "emulated": None,
            "runtime": "tensorrt",
            "version": "11",
        }

    assert upgrade_document(OLD, NEW, [graphs])["notes"] == [GRAPHS_ONLY]
    assert upgrade_document(OLD, NEW, [engines, graphs])["notes"] == [SOME_GRAPHS]
    assert upgrade_document(OLD, NEW, [engines])["notes"] == []


def test_a_failed_threshold_is_no_go_with_its_numbers() -> None:
    """Observed value and limit."""
    v = decided(new="fail")

    assert v["decision"] == "no-go"
    assert v["reason"] == "fails scores: max_abs 0.3, limit 0.1"
    assert "PASS → FAIL" in v["changes"]


def test_what_nothing_judges_is_no_go() -> None:
    """With the line to add; an old version that was unjudged stops nothing."""
    v = decided(new="unjudged")

    assert (v["decision"], v["reason"]) == ("no-go", "unjudged: no threshold for int8")
    assert decided(old="unjudged")["reason"] == "within its thresholds; the old version is unjudged"


def test_a_check_that_failed_before_too_says_so() -> None:
    """It is no-go all the same: nobody accepted it."""
    assert decided("fail", "fail")["reason"].endswith("(failed before too)")


def test_a_version_that_cannot_build_is_no_go_with_its_reason() -> None:
    """There is nothing to compare."""
    v = decided(new="refused", reason="no int8 convolution")

    assert (v["decision"], v["compared_with"], v["comparison"]) == ("no-go", "", None)
    assert v["reason"] == "the new version: refused: no int8 convolution"


def test_what_the_old_version_could_not_build_is_not_the_new_ones_fault() -> None:
    """Go, and why there is no comparison."""
    v = decided(old="refused", reason="no int8 convolution")

    assert v["decision"] == "go"
    assert v["reason"].endswith("nothing to compare with: the old version: refused: no int8 convolution")


def test_the_accepted_baseline_stands_in_for_an_old_version_that_was_not_built() -> None:
    """And the reason says which it was."""
    v = decided(old="refused", reason="why", baseline=entry()["report"])

    assert v["compared_with"] == "accepted baseline"
    assert "compared with the accepted baseline: old: refused: why" in v["reason"]


def test_the_first_layer_that_moved_is_named() -> None:
    """With its error before and after."""
    old, new = entry(tensorrt=OLD), entry(tensorrt=NEW)
    for row in new["report"]["layers"]["rows"]:
        row["cumulative"]["total"]["nrmse"] *= 50
    (model,) = upgrade_document(OLD, NEW, [Pair(old, new)])["models"]

    assert model["variants"][0]["first_bad_layer"]["path"] == "net/conv1"
    assert "50 times" in model["variants"][0]["first_bad_layer"]["says"]


def with_engines(new: dict[str, Any], old: dict[str, Any], model: str = "segnet") -> Pair:
    pair = Pair(entry(tensorrt=OLD, model=model), entry(tensorrt=NEW, model=model))
    for side, made in ((pair.new, new), (pair.old, old)):
        side["report"]["compiled"] = made
    return pair


def test_engines_that_move_more_bytes_are_counted_and_stop_nothing() -> None:
    """By scope in the comparison; on the page, in the summary and on the terminal."""
    pairs = [with_engines(int8_engine(), float_engine()), with_engines(float_engine(), float_engine(), "lenet")]
    document = upgrade_document(OLD, NEW, pairs)
    (other, segnet) = (v for model in document["models"] for v in model["variants"])
    says = "engines: 1 of 2 differ; 1 model: bytes moved more than 5 % up (segnet)"
    pages = render_all(document, templates(Path(__file__).parents[2]))

    assert document["engines"]["more_bytes"] == document["engines"]["differ"] == [segnet["id"]]
    assert segnet["decision"] == other["decision"] == "go"
    assert segnet["comparison"] is not None and segnet["comparison"]["compiled"]["scopes"][0]["scope"] == "net/a"
    assert says in lines(document) and says in pages["upgrade.md"] and "net/a: 1 → 2 layers" in pages["upgrade.html"]


def test_engines_without_layers_are_named_as_such() -> None:
    """Of older records: nothing is claimed about them."""
    document = upgrade_document(OLD, NEW, [Pair(entry(tensorrt=OLD), entry(tensorrt=NEW))])
    page = render_all(document, templates(Path(__file__).parents[2]))["upgrade.html"]

    assert document["engines"] == {"compared": 0, "differ": [], "more_bytes": [], "says": "",
                                   "not_compared": [document["models"][0]["variants"][0]["id"]]}  # fmt: skip
    assert "Not compared, because a record has no layers: segnet-int8" in page


def test_a_model_is_go_when_all_its_variants_are() -> None:
    """Only its variants are pushed and accepted, in the new version."""
    states = {("lenet", "fp32"): "pass", ("lenet", "int8"): "fail", ("segnet", "fp32"): "pass"}
    pairs = [
        Pair(entry(model=m, precision=p, tensorrt=OLD), entry(s, model=m, precision=p, tensorrt=NEW))
        for (m, p), s in states.items()
    ]
    document = upgrade_document(OLD, NEW, pairs)

    assert {m["name"]: m["decision"] for m in document["models"]} == {"lenet": "no-go", "segnet": "go"}
    assert passed_ids(document) == [entry(model="segnet", precision="fp32", tensorrt=NEW)["id"]]
    assert document == upgrade_document(OLD, NEW, pairs[::-1])
    assert lines(document)[-1] == f"{OLD} -> {NEW}: 2 go, 1 no-go"
