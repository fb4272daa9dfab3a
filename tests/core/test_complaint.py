"""Tests of what a problem is called: by one word, from where it is found to what is printed and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tests.bugreport.test_text import FACTS
from tests.support.graphs import graph
from trtbuild.bugreport import matrix, text
from trtbuild.checker.exported import ExportedGraph
from trtbuild.checker.finder import Finder
from trtbuild.checker.problem import settled
from trtbuild.checker.result import Result
from trtbuild.core.complaint import PHRASES, Complaint, ProblemKind, RefusalStage, operations, readers_of
from trtbuild.reducing import casefile, failure
from trtbuild.suite import stage
from trtbuild.workers.prober import Answer, Outcome

MODEL = graph("float[2] x => float[2] y { y = Neg(x) }")
KINDS: tuple[Outcome, ...] = tuple(kind for kind in get_args(Outcome) if kind != "ok")


def answer(kind: Outcome) -> Answer:
    if kind in get_args(RefusalStage):
        return Answer(kind, kind, (Complaint("Neg_0", "Neg", kind, "no"),), ("no",))  # type: ignore[arg-type]
    return Answer(kind, "building", words=("no answer",))


def test_every_kind_has_a_phrase_with_its_word() -> None:
    """What is printed for it; and all that TensorRT can answer is among the kinds."""
    assert set(PHRASES) == set(get_args(ProblemKind)) > set(KINDS) > set(get_args(RefusalStage))
    assert [kind for kind, phrase in PHRASES.items() if kind not in phrase and kind != "build"] == []
    assert PHRASES["build"] == "refused by the builder"


@pytest.mark.parametrize("kind", get_args(RefusalStage))
def test_a_check_keeps_the_word(kind: RefusalStage) -> None:
    """In its problem, the outcome of the version, the rule, and what it prints."""
    problems, outcomes = settled(Finder(ExportedGraph(MODEL, {}, {}), None).refused({"v": answer(kind)}), {"v": kind})
    document = Result(problems, outcomes).document()

    assert [(p["stage"], p["rule"]) for p in document["problems"]] == [(kind, f"{kind}/Neg")]
    assert document["outcomes"] == {"v": kind} and f"[{kind}" in str(Result(problems, outcomes))


@pytest.mark.parametrize("kind", KINDS)
def test_a_reduction_a_case_and_a_report_keep_the_word(kind: Outcome, tmp_path: Path) -> None:
    """The failure's kind, the title of the case, the row of the matrix, and the report's title."""
    (found,) = failure.of_answer(answer(kind), ())
    row = matrix.row(matrix.Entry("g", "fp32", MODEL), "v", "1.7", "none", answer(kind), str)
    stages = stage.of_answer(answer(kind))

    assert found.kind == kind and failure.choose([found], "crash" if kind == "timeout" else kind) == found
    assert casefile.title_of(found, ["Neg"]) == f"Neg: {PHRASES[kind]}" and row.outcome == PHRASES[kind]  # type: ignore[index]
    assert kind in [word for stage in stages.values() for word in (stage.result, stage.kind)]
    assert text.symptom(replace(FACTS, failure=found)).lower().startswith(kind[:5])


def test_a_result_that_is_left_out_is_read_by_nobody() -> None:
    """ONNX writes optional results and operands that are not there as empty names."""
    model = graph("float[4] x, float s => float[4] y { a, = Dropout(x) b = Clip(a, , s) y = Neg(b) }")
    model.graph.node[0].output.append("")
    names = [node.name for node in model.graph.node]

    assert readers_of(model.graph.node) == {names[0]: [names[1]], names[1]: [names[2]]}
    said = operations(model.graph.node, {names[2]: {"op": "net/neg", "type": "Neg", "name": "net/neg"}})
    assert [said(name) for name in (names[0], "other")] == ["Neg net/neg", "other"]
