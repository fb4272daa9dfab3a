"""A row of steps, and the source file that it begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakes import (
    chain,
)
from trtbuild.core.step import Step
from trtbuild.store import Store


@pytest.fixture
def source(store: Store) -> Path:
    """The file that every chain of steps begins with."""
    path = store.root / "models" / "source"
    path.write_text("1", "utf-8")
    return path


@pytest.fixture
def steps() -> list[Step]:
    return chain("a", "b", "c")
