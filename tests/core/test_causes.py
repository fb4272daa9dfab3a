"""Tests of causes: the change itself is named, with old and new value; what only follows from it is folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.support.fakes import step
from trtbuild.config import GROUPS
from trtbuild.core.causes import Change, Recorded, causes, newest_like
from trtbuild.core.explain import Judgement
from trtbuild.core.parse import knows
from trtbuild.core.recipekeys import config_keys
from trtbuild.core.record import params
from trtbuild.core.step import Step

MISSING, FRESH = Judgement("missing", "never built here"), Judgement("fresh", "agree")


def chain(opset: int, percentile: float) -> list[Step]:
    """export -> lower -> engine, with a change in the first or the second."""
    export = replace(step("export", files=("models/m",), opset=opset), label=f"opset{opset}")
    lower = replace(step("lower", export, precision="int8", percentile=percentile), label="int8")
    return [export, lower, replace(step("engine", lower), label="int8-rtx")]


def records(*steps: Step, time: float = 1.0) -> list[Recorded]:
    return [Recorded(one.folder, params(one), time) for one in steps]


def looked_up(known: Sequence[Recorded], judged: Sequence[tuple[Step, Judgement]]) -> list[tuple[str, list[str], int]]:
    """Kind, changes and number of followers of each cause."""
    found = causes(judged, lambda one: [r for r in known if r.params["kind"] == one.kind])
    return [(cause.step.kind, [str(change) for change in cause.changes], len(cause.follows)) for cause in found]


@pytest.mark.parametrize(
    ("opset", "percentile", "cause"),
    [
        (18, 99.0, ("export", ["model.export.opset: 17 -> 18"], 2)),  # its folder's readable name changes, too
        (17, 99.9, ("lower", ["percentile: 99.0 -> 99.9"], 1)),
    ],
)
def test_the_change_is_named_and_the_rest_follows(
    opset: int, percentile: float, cause: tuple[str, list[str], int]
) -> None:
    known = records(*chain(17, 99.0))
    now = chain(opset, percentile)
    recorded = {one.folder for one in known}
    assert looked_up(known, [(one, FRESH if one.folder in recorded else MISSING) for one in now]) == [cause]


def test_two_changes_are_two_causes() -> None:
    known = records(*chain(17, 99.0))
    found = looked_up(known, [(one, MISSING) for one in chain(18, 99.9)])
    assert found == [("export", ["model.export.opset: 17 -> 18"], 0), ("lower", ["percentile: 99.0 -> 99.9"], 1)]


def test_a_key_that_is_repeated_downstream_is_no_second_cause() -> None:
    def both(opset: int) -> list[Step]:
        export = step("export", files=("models/m",), opset=opset)
        return [export, step("report", export, variant={"opset": opset})]

    found = looked_up(records(*both(17)), [(one, MISSING) for one in both(18)])
    assert found == [("export", ["model.export.opset: 17 -> 18"], 1)]


def test_a_first_build_has_one_cause() -> None:
    assert looked_up([], [(one, MISSING) for one in chain(17, 99.0)]) == [("export", [], 2)]


def test_nothing_to_do_has_no_cause() -> None:
    assert looked_up([], [(one, FRESH) for one in chain(17, 99.0)]) == []


def test_a_changed_file_is_its_steps_own_reason() -> None:
    """The recipe is that of the record; the judgement has the file."""
    now = chain(17, 99.0)
    judged = [(now[0], Judgement("stale", "input changed: models/m")), *((one, MISSING) for one in now[1:])]
    found = causes(judged, lambda one: records(*(other for other in now if other.kind == one.kind)))
    assert [(cause.judgement.why, cause.since, len(cause.follows)) for cause in found] == [
        ("input changed: models/m", "", 2)
    ]


def test_the_newest_record_of_the_name_is_compared_not_a_cousin() -> None:
    old, new = records(*chain(17, 90.0)[1:2], time=1.0), records(*chain(17, 95.0)[1:2], time=2.0)
    cousin = records(replace(chain(17, 99.0)[1], label="fp16"), time=3.0)
    wanted = chain(17, 99.0)[1]
    assert newest_like(wanted, [*cousin, *new, *old]) == new[0]
    assert newest_like(wanted, []) is None


def test_values_are_short_and_absent_ones_are_named() -> None:
    assert str(Change("calibration.bins", None, 2048)) == "calibration.bins: absent -> 2048"
    assert len(str(Change("k", "x" * 500, ["y"] * 500))) < 160


def test_a_file_that_two_steps_read_is_one_cause() -> None:
    stale = Judgement("stale", "input changed: models/m")
    other = Judgement("stale", "input changed: x")
    judged = [(step("reference"), stale), (step("export"), stale), (step("lower"), other)]
    found = causes(judged, lambda _: ())
    assert [(cause.judgement.why, [one.kind for one in cause.follows]) for cause in found] == [
        ("input changed: models/m", ["export"]), ("input changed: x", [])
    ]  # fmt: skip


def test_a_changed_file_is_a_cause_behind_another_one() -> None:
    export = step("export", files=("models/m",))
    lower = step("lower", export, files=("models/calibration.npz",))
    judged = [(one, Judgement("stale", f"input changed: {path}")) for one, path in (
        (export, "models/m"), (lower, "models/calibration.npz"), (step("engine", lower), "build/lowered.onnx"),
    )]  # fmt: skip
    found = causes(judged, lambda one: records(one))
    assert [(cause.step.kind, len(cause.follows)) for cause in found] == [("export", 0), ("lower", 1)]


def test_a_key_that_two_steps_have_is_one_cause() -> None:
    def both(size: int) -> list[Step]:
        return [step(kind, inputs={"x": {"shape": [size]}}) for kind in ("reference", "export")]

    found = looked_up(records(*both(1)), [(one, MISSING) for one in both(2)])
    assert found == [("reference", ["model.inputs.x.shape: [1] -> [2]"], 1)]


def test_what_other_keys_decide_is_left_out() -> None:
    """A version's requirements beside the version; of a key at its default, the default."""
    engines = [step("engine", tensorrt=version, requirements=[f"trt=={version}"]) for version in ("1", "2")]
    assert looked_up(records(engines[0]), [(engines[1], MISSING)]) == [("engine", ["tensorrt.version: 1 -> 2"], 0)]
    lowers = [step("lower", precision="int8", exclude_scopes=[], **rest) for rest in ({"rest": "float16"}, {})]
    assert looked_up(records(lowers[0]), [(lowers[1], MISSING)]) == [
        ("lower", ["precision.rest: float16 -> float32"], 0)
    ]


def test_a_page_that_goes_is_named_by_what_switches_it() -> None:
    """`latency=off` leaves a report that differs in its pages alone; where a step comes, that is the cause."""
    measured = step("latency")
    with_it = step("report", measured, pages=["overview", "layers", "latency"])
    without = replace(step("report", pages=["overview", "layers"]), label=with_it.label)

    assert looked_up(records(measured, with_it), [(without, MISSING)]) == [("report", ["latency: on -> off"], 0)]
    assert looked_up(records(without), [(measured, MISSING), (with_it, MISSING)]) == [("latency", [], 1)]


def test_of_long_lists_only_the_difference_is_shown() -> None:
    assert str(Change("pages", list("abcde"), list("abce"))) == 'pages: ["d"] -> []'


def test_the_keys_are_those_of_the_config() -> None:
    for kind in ("export", "lower", "engine", "validate", "latency", "layers", "infer", "reference"):
        for key in config_keys(kind).values():
            group, *parts = key.format(precision="int8").split(".")
            assert knows(GROUPS[group], parts), (kind, key)
