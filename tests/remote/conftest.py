"""Two workspaces with one remote, and a row of steps that the first of them has built and pushed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakes import FakeExecutor, build, chain, plan, step
from tests.support.transfers import ENGINE, move, seal, workspace
from trtbuild.core.step import Step
from trtbuild.remote.push import push
from trtbuild.store import Store


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return workspace(tmp_path / "here", tmp_path / "remote")


@pytest.fixture
def there(tmp_path: Path) -> Store:
    """Another machine: the same source and remote, no record."""
    return workspace(tmp_path / "there", tmp_path / "remote")


@pytest.fixture
def steps() -> list[Step]:
    """source -> a -> engine -> c."""
    a, _ = chain("a", "b")
    engine = step("engine", a, outs=ENGINE)
    return [a, engine, step("c", engine)]


@pytest.fixture
def pushed(here: Store, steps: list[Step]) -> Store:
    build(here, plan(steps[-1]), FakeExecutor({"engine": seal}))
    assert not move(push, here, steps).failures
    return here
