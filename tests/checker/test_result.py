"""Tests of what a check found: truth, forms for people and programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from trtbuild.checker.problem import Problem, settled
from trtbuild.checker.result import Result

LGAMMA = Problem(
    "export", "error", "head/Lgamma", "Lgamma", "not supported", "use a series", scope="head", file="/tmp/net.py",
    line=12, code="y = tf.math.lgamma(x)", rule="export/Lgamma",
)  # fmt: skip
TOPK = Problem(
    "build", "error", "TopKV2", "TopKV2", "K exceeds", "take fewer", place_note="made by layer 'top'",
    versions=("rtx-1.6",), rule="build/TopKV2",
)  # fmt: skip
WARNING = replace(LGAMMA, severity="warning", stage="precision", words="<overflows>", rule="precision/Lgamma")


def found(*problems: Problem) -> Result:
    return Result(problems, {"rtx-1.6": "build", "rtx-1.7": "ok"})


@pytest.mark.parametrize(
    ("result", "converts"),
    [(found(), True), (found(WARNING), True), (found(LGAMMA), False), (Result(error="no TensorRT"), False)],
)
def test_it_is_true_when_nothing_stands_against_it(result: Result, converts: bool) -> None:
    """Warnings do not; a check that was not done does."""
    assert bool(result) is converts


def test_problems_by_version_hold_the_exporters_everywhere() -> None:
    """What cannot be exported fails in every version."""
    by_version = found(LGAMMA, TOPK).by_version

    assert by_version == {"rtx-1.6": (LGAMMA, TOPK), "rtx-1.7": (LGAMMA,)}


def refused(op: str, op_type: str = "Erfinv", words: str = "no '{}' here", line: int = 0) -> Problem:
    file = "net.py" if line else ""
    return Problem("parse", "error", op, op_type, words.format(op), "rewrite it", file=file, line=line)


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        ([refused("a"), refused("b"), refused("c")], [("a", ("b", "c"))]),
        ([refused("a", line=3), refused("b", line=3), refused("c", line=4)], [("a", ("b",)), ("c", ())]),
        ([refused("a"), refused("b", "Lgamma")], [("a", ()), ("b", ())]),
        ([refused("a"), refused("b", words="something else")], [("a", ()), ("b", ())]),
        (
            [replace(refused("a", "FakeQuantWithMinMaxVars"), stage="export"),
             replace(refused("b", "Dequantize", "other words"), stage="export")],
            [("a", ("b",))],
        ),
        ([refused("a"), refused("a")], [("a", ())]),
    ],
)  # fmt: skip
def test_the_same_of_several_operations_in_one_place_is_said_once(
    problems: list[Problem], told: list[tuple[str, tuple[str, ...]]]
) -> None:
    """A hundred layers of a file without lines are one problem; other lines, types or reasons are others."""
    found, _ = settled(problems, {"rtx-1.7": "parse"})

    assert [(problem.op, problem.also) for problem in found] == told


def test_further_operations_are_named_and_counted() -> None:
    """On one line, whatever their number."""
    found, outcomes = settled([refused(f"layer{i}") for i in range(9)], {"rtx-1.7": "parse"})
    text = str(Result(found, outcomes))

    assert "1 problem\n" in text and "also layer1, layer2, layer3 and 5 more" in text


def test_the_text_says_place_words_and_advice() -> None:
    """And which version has a problem that others have not."""
    text = str(found(LGAMMA, TOPK))

    assert text.startswith("does not convert to TensorRT rtx-1.6, rtx-1.7 in fp32: 2 problems")
    assert "1. Lgamma head/Lgamma  [export]\n   /tmp/net.py:12  y = tf.math.lgamma(x)\n   not supported\n" in text
    assert "2. TopKV2 TopKV2  [build, rtx-1.6]\n   made by layer 'top'" in text
    assert "   -> take fewer" in text


def test_no_version_is_fine_where_an_error_holds_for_it() -> None:
    """Whatever TensorRT said about the rest; every problem names its versions."""
    problems, outcomes = settled([LGAMMA, TOPK, WARNING], {"rtx-1.6": "build", "rtx-1.7": "ok"})

    assert outcomes == {"rtx-1.6": "build", "rtx-1.7": "export"}
    assert [p.versions for p in problems] == [("rtx-1.6", "rtx-1.7"), ("rtx-1.6",), ("rtx-1.6", "rtx-1.7")]
    assert settled([WARNING], {"rtx-1.7": "ok"})[1] == {"rtx-1.7": "ok"}


def test_html_escapes_what_tools_say() -> None:
    """A notebook shows it as it is."""
    html = found(WARNING)._repr_html_()

    assert "&lt;overflows&gt;" in html and "<overflows>" not in html
    assert html.count("<tr>") == 2


def test_json_has_every_problem_and_verdict() -> None:
    """With the fields of the dataclass."""
    document = json.loads(found(TOPK).to_json())

    assert document["converts"] is False and document["outcomes"]["rtx-1.7"] == "ok"
    assert document["problems"][0]["op"] == "TopKV2" and document["problems"][0]["versions"] == ["rtx-1.6"]


def test_a_check_that_was_not_done_says_why() -> None:
    """In one line."""
    assert str(Result(error="rtx-1.9 is unknown")) == "not checked: rtx-1.9 is unknown"
