"""Tests of asking on past what is refused, with a TensorRT that is a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.checker.pieces import ask_through
from trtbuild.core.complaint import Complaint
from trtbuild.workers.prober import Answer, Question

TEXT = "float[2,4] x => float[2,4] y { a = Relu(x) b = Neg(a) c = Abs(b) d = Sqrt(c) y = Exp(d) }"
Ask = Callable[[Question], Answer]


def tensorrt(**outcomes: str) -> Ask:
    """Refuses op types: crashes come first, then what is refused at parse (one at a time), then at build."""

    def ask(question: Question) -> Answer:
        nodes: list[Any] = list(onnx.load(question.model).graph.node)
        for outcome, stage in (("crash", "parsing"), ("parse", "parse"), ("build", "build")):
            bad = [node for node in nodes if outcomes.get(node.op_type) == outcome]
            found = tuple(
                Complaint(node.name, node.op_type, stage, "no") for node in bad[: 1 if stage == "parse" else 9]
            )
            if bad:
                return Answer(outcome, stage, () if outcome == "crash" else found, ("died",))  # type: ignore[arg-type]
        return Answer("ok")

    return ask


def found(ask: Ask, folder: Path, seconds: float = 60) -> list[tuple[str, str]]:
    question = Question(folder / "model.onnx")
    question.model.write_bytes(graph(TEXT).SerializeToString())
    answer = ask_through(ask, question, ask(question), folder, time.monotonic() + seconds)
    return [(complaint.op_type, complaint.stage) for complaint in answer.complaints]


def test_what_builds_has_no_complaints(tmp_path: Path) -> None:
    """And is asked once."""
    assert found(tensorrt(), tmp_path) == []


def test_a_build_is_asked_for_behind_a_refused_parse(tmp_path: Path) -> None:
    """Problems of all stages are in one answer."""
    ask = tensorrt(Neg="parse", Sqrt="parse", Relu="build", Exp="build")

    assert found(ask, tmp_path) == [("Neg", "parse"), ("Sqrt", "parse"), ("Relu", "build"), ("Exp", "build")]


def test_a_crash_is_located_and_asked_past(tmp_path: Path) -> None:
    """It names nothing, so it is searched for."""
    ask = tensorrt(Abs="crash", Exp="parse")

    assert found(ask, tmp_path) == [("Abs", "parse"), ("Exp", "parse")]


def test_two_crashes_are_both_found(tmp_path: Path) -> None:
    """One after the other."""
    assert sorted(found(tensorrt(Abs="crash", Relu="crash"), tmp_path)) == [("Abs", "parse"), ("Relu", "parse")]


def test_the_time_limit_ends_the_search(tmp_path: Path) -> None:
    """What was found by then is reported."""
    assert found(tensorrt(Neg="parse", Sqrt="parse"), tmp_path, seconds=-1) == [("Neg", "parse")]


@pytest.mark.parametrize("stage", ["parsing", "building"])
def test_no_answer_in_time_is_a_problem_without_a_node(stage: str, tmp_path: Path) -> None:
    """Each question of a search would take as long."""
    question = Question(tmp_path / "model.onnx")
    question.model.write_bytes(graph(TEXT).SerializeToString())
    late = Answer("timeout", stage)
    answer = ask_through(lambda q: late, question, late, tmp_path, time.monotonic() + 60)

    assert [c.words for c in answer.complaints] == [f"TensorRT did not answer in time while {stage}"]
