"""Tests of what counts as the same failure."""

from __future__ import annotations

import pytest

from trtbuild.core.complaint import Complaint
from trtbuild.reducing.failure import choose, normalised, of_answer
from trtbuild.workers.prober import Answer

CRASH = Answer("crash", "parsing", words=("TensorRT died of SIGSEGV while parsing",))


def refused(op: str, words: str) -> Answer:
    return Answer("parse", "parse", (Complaint("node", op, "parse", words),), (words,))


@pytest.mark.parametrize(
    "words",
    [
        "INVALID_NODE: a/b (shape [1,3]) has 2 dims. In check at /src/x.cpp:54",
        "INVALID_NODE: other (shape [7]) has 4 dims. In check at /lib/x.cpp:9",
    ],
)
def test_a_reason_has_no_numbers_names_and_paths(words: str) -> None:
    """Two graphs with one fault give one reason."""
    assert normalised(words, {"other", "a/b"}) == "INVALID_NODE shape has dims In check at"


def test_types_stay_in_a_reason() -> None:
    """INT64 refused is another fault than UINT8 refused."""
    assert normalised("type INT64 of t3") == "type INT64 of"


def test_the_same_refusal_of_another_operation_is_another_failure() -> None:
    """Kind, stage, operation and reason have to agree."""
    first, same, other = (of_answer(refused(op, f"no {i}"), ())[0] for i, op in enumerate(("Det", "Det", "Unique")))

    assert first.like(same) and not first.like(other)


def test_a_crash_is_told_by_its_signal_and_stage() -> None:
    """Not by the words around it."""
    (failure,) = of_answer(CRASH, ())

    assert (failure.kind, failure.stage, failure.reason) == ("crash", "parsing", "SIGSEGV")


def test_a_graph_that_builds_has_no_failure() -> None:
    """Nothing to choose from."""
    assert of_answer(Answer("ok"), ()) == () and choose((), "") is None


def test_a_crash_is_chosen_for_a_timeout_too() -> None:
    """``--for crash`` means that there is no answer; parse is something else."""
    (slow,) = of_answer(Answer("timeout", "building", words=("no answer",)), ())

    assert choose((slow,), "crash") == slow and choose((slow,), "parse") is None
