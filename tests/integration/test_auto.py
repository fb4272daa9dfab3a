"""Tests of a search for mixed precisions on a real small network; the whole tables: docs/auto.md."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import auto
from benchmarks.autobuild import InProcess
from benchmarks.autonetworks import Network
from trtbuild.base.errors import TrtbuildError
from trtbuild.base.workspace import find_workspace
from trtbuild.core.step import Step
from trtbuild.pipeline.auto import Assignment, Search
from trtbuild.pipeline.autobase import load_base

pytestmark = pytest.mark.slow
SEED = 4  # four groups in fp16 or int8


@pytest.fixture(autouse=True)
def for_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines are compiled in this process, where Polygraphy may have been imported for another TensorRT."""
    monkeypatch.setenv("POLYGRAPHY_USE_TENSORRT_RTX", "1")
    for name in [name for name in sys.modules if name.partition(".")[0] == "polygraphy"]:
        monkeypatch.delitem(sys.modules, name)


def test_the_answer_is_the_cheapest_of_all_engines_within_the_budget() -> None:
    case = auto.case(SEED)
    assert case.mixed and case.within and case.cost <= auto.WITHIN
    assert case.runs_left >= 0 and case.evaluations <= case.greedy.evaluations
    assert case.cost <= case.greedy.cost


@dataclass
class Interrupted(InProcess):
    """Ends after some steps, as a killed process does."""

    limit: int = 0

    def failure(self, step: Step) -> TrtbuildError | None:
        if self.ran.total() >= self.limit:
            raise KeyboardInterrupt
        return super().failure(step)


def test_a_search_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """With the same answer, and no step runs twice."""
    network = Network.seeded(SEED)

    def search(root: Path, build: InProcess) -> Assignment | None:
        workspace = find_workspace(root)
        return Search(workspace, load_base(workspace, network.words), network.words, build, print).run()

    whole = InProcess(network.workspace(tmp_path / "whole"))
    answer = search(whole.root, whole)
    total = whole.ran.total()
    builds = [Interrupted(tmp_path / "parts", limit=total // 5 + 1) for _ in range(4)]
    network.workspace(tmp_path / "parts")
    for build in builds:
        with pytest.raises(KeyboardInterrupt):
            search(build.root, build)
    rest = InProcess(tmp_path / "parts")
    assert search(rest.root, rest) == answer
    assert sum((build.ran for build in builds), rest.ran) == whole.ran
