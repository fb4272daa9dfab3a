"""Tests of the search for what fails: its order, and what is not a fault of the graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.graphs import graph
from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.core.complaint import Complaint
from trtbuild.core.spec import Lowering, Target
from trtbuild.reducing import failinggraph
from trtbuild.reducing.faults import SourceFault, TensorrtFault
from trtbuild.reducing.subject import Subject
from trtbuild.suite.case import TOLERANCES
from trtbuild.workers.prober import Answer, Question

MODEL = graph("float[2] x => float[2] y { y = Neg(x) }")
REFUSED = Answer("parse", "parse", (Complaint("Neg_0", "Neg", "parse", "no"), Complaint("z", "Sin", "parse", "no")))


def subject(golden: list[float] | None = None) -> Subject:
    feeds = {"x": np.array([1, 2], np.float32)}
    wanted = {} if golden is None else {"y": np.array(golden, np.float32)}
    return Subject(MODEL, MODEL, {}, {}, Lowering(), {"rtx-1.7": None}, Target(), "a model", "net", TOLERANCES["none"],
                   feeds=feeds, golden=wanted, compare=True)  # type: ignore[dict-item]  # fmt: skip


def find(answer: Answer, wanted: str, folder: Path, golden: list[float] | None = None) -> failinggraph.FailingGraph:
    def ask(question: Question) -> Answer:
        return answer

    return failinggraph.find(subject(golden), ask, wanted, folder)


def test_the_first_refusal_is_taken_and_the_others_are_told(tmp_path: Path) -> None:
    """One fault is reduced at a time."""
    found = find(REFUSED, "", tmp_path)

    assert isinstance(found.fault, TensorrtFault) and found.fault.target.op_type == "Neg"
    assert [other.op_type for other in found.others] == ["Sin"]


def test_values_are_compared_when_tensorrt_has_no_complaint(tmp_path: Path) -> None:
    """Or when they are asked for."""
    assert isinstance(find(Answer("ok"), "", tmp_path, [1, 2]).fault, SourceFault)
    assert isinstance(find(REFUSED, "mismatch", tmp_path, [1, 2]).fault, SourceFault)


def test_a_model_that_is_right_has_nothing_to_reduce(tmp_path: Path) -> None:
    """Status 2, and what was compared is said."""
    with pytest.raises(ConfigError, match=r"it parses and builds with tensorrt=rtx-1\.7; its values are within"):
        find(Answer("ok"), "", tmp_path, [-1, -2])


def test_a_refusal_for_want_of_a_gpu_is_no_fault(tmp_path: Path) -> None:
    """Status 3: nobody should report it."""
    with pytest.raises(ToolchainError, match="on a GPU only: that is not a fault of the graph"):
        find(Answer("build", "build", words=("generateForCurrent",), why="on a GPU only"), "", tmp_path)
