"""Tests of the judgement on a step: one for every answer it can give."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.fakes import step
from trtbuild.core.explain import Judgement, Observation, flat, judge
from trtbuild.core.record import Digest, Record, command, dep_path, params
from trtbuild.core.step import Out

SOURCE, FIRST, SECOND = "models/source", "first.bin", "second.bin"
STEP = step("a", files=(SOURCE,), outs=(Out(FIRST), Out(SECOND)), depth=2)
OUTS = {FIRST: Digest("f1"), SECOND: Digest("f2")}
RECORD = Record(command(STEP), {dep_path(STEP, SOURCE): Digest("s1", 7)}, params(STEP), OUTS)
FRESH = Observation(RECORD, {SOURCE: Digest("s1", 7)}, OUTS, frozenset(OUTS))


def test_fresh() -> None:
    """Recipe, inputs and outputs agree with the record."""
    assert judge(STEP, FRESH).state == "fresh"


def test_sizes_are_only_hints() -> None:
    """Equal content is equal, whatever was written down about its size."""
    assert judge(STEP, replace(FRESH, inputs={SOURCE: Digest("s1")})).state == "fresh"


def test_never_built() -> None:
    """No record, no opinion."""
    assert judge(STEP, Observation(None, None, {}, frozenset())) == Judgement("missing", "never built here")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (replace(RECORD, cmd="make"), "the record was made by another command"),
        (replace(RECORD, params={**RECORD.params, "version": 0}), "step version 0 -> 1"),
        (replace(RECORD, params={**RECORD.params, "params": {"depth": 1}}), "parameter changed: params"),
        (replace(RECORD, params={**RECORD.params, "extra": 1}), "parameter changed: extra"),
        (replace(RECORD, outs={FIRST: Digest("f1")}), "the step makes other files now"),
        (replace(RECORD, deps={}), "input changed: models/source"),
        (replace(RECORD, deps={dep_path(STEP, SOURCE): Digest("s0")}), "input changed: models/source"),
    ],
)
def test_stale_by_its_record(record: Record, why: str) -> None:
    """The first difference between recipe and record is the reason, and the record's files are of no use."""
    assert judge(STEP, replace(FRESH, record=record)) == Judgement("stale", why)


def test_an_input_that_is_not_there() -> None:
    """What cannot be read cannot be compared."""
    assert judge(STEP, replace(FRESH, inputs=None)) == Judgement("stale", "an input is missing")


def test_an_output_in_the_cache_can_be_restored() -> None:
    """A deleted output costs a copy, not a run."""
    verdict = judge(STEP, replace(FRESH, outs={FIRST: None, SECOND: Digest("f2")}))

    assert (verdict.state, verdict.restorable) == ("missing", True)
    assert verdict.why.startswith(FIRST)


def test_an_output_in_the_cache_is_no_use_without_the_others() -> None:
    """Only a complete set of objects can be restored."""
    verdict = judge(STEP, replace(FRESH, outs={}, cached=frozenset({FIRST})))

    assert (verdict.state, verdict.restorable) == ("remote", False)


def test_a_source_that_was_not_pulled_is_remote() -> None:
    """A fresh clone does not know the source's bytes, so it does not call the step stale."""
    verdict = judge(STEP, replace(FRESH, inputs=None, unpulled="models/m"))

    assert verdict == Judgement("remote", "models/m is tracked, but not pulled")


def test_an_output_that_is_nowhere_here_is_remote() -> None:
    """A record without its objects is what a fresh clone has."""
    verdict = judge(STEP, replace(FRESH, outs={}, cached=frozenset()))

    assert (verdict.state, verdict.restorable) == ("remote", False)


@pytest.mark.parametrize("cached", [frozenset(OUTS), frozenset({FIRST})])
def test_an_output_changed_by_hand(cached: frozenset[str]) -> None:
    """It is stale, and restorable when the cache still has all that was recorded."""
    verdict = judge(STEP, replace(FRESH, outs={FIRST: Digest("f1"), SECOND: Digest("x")}, cached=cached))

    assert verdict == Judgement("stale", f"output was changed by hand: {SECOND}", restorable=SECOND in cached)


def test_flat_keys_are_dotted() -> None:
    """Lists are values, mappings are paths."""
    assert flat({"a": {"b": {"c": [1]}}, "d": None}) == {"a.b.c": [1], "d": None}
