"""Tests of the states of a plan's steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakes import (
    build,
    plan,
)
from trtbuild.building.observation import judge_plan
from trtbuild.core.step import Step
from trtbuild.store import Store

pytestmark = pytest.mark.usefixtures("source")


def test_a_plan_says_what_a_build_will_do(store: Store, steps: list[Step], source: Path) -> None:
    """Before, after, and after a change of the source."""
    before = [verdict.state for _, verdict in judge_plan(plan(steps[-1]), store)]
    build(store, plan(steps[-1]))
    after = [verdict.state for _, verdict in judge_plan(plan(steps[-1]), Store(store.workspace))]
    source.write_text("2", "utf-8")
    changed = [(verdict.state, verdict.why) for _, verdict in judge_plan(plan(steps[-1]), Store(store.workspace))]

    assert (before, after) == (["missing"] * 3, ["fresh"] * 3)
    assert changed == [("stale", "input changed: models/source"), ("stale", "waits for a"), ("stale", "waits for b")]
