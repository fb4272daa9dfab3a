"""Fixtures that most tests share, and the option that rewrites golden files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import hypothesis
import pytest

from trtbuild.base.workspace import Workspace
from trtbuild.store import Store

# The same examples on every run and every machine; no example database.
hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("same")
# pytest --hypothesis-profile=long: other examples each time, and many
hypothesis.settings.register_profile("long", derandomize=False, database=None, deadline=None, max_examples=10_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the expected half of tests/cases/*.txt")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace; git and DVC need no more than these folders until one of them is run."""
    for name in (".git", ".dvc", "models", "conf"):
        (tmp_path / name).mkdir()
    made = Workspace(tmp_path)
    made.prepare()
    return made


@pytest.fixture
def store(workspace: Workspace) -> Store:
    return Store(workspace)


@pytest.fixture
def dvc_store(tmp_path: Path) -> Store:
    """A store in a repository that DVC itself can open."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n", "utf-8")
    (tmp_path / "models").mkdir()
    made = Workspace(tmp_path)
    made.prepare()
    return Store(made)
