"""Tests of what a push or pull says."""

from __future__ import annotations

from tests.support.transfers import move
from trtbuild.core.step import Step
from trtbuild.remote.pull import pull
from trtbuild.remote.transferresult import document
from trtbuild.store import Store


def test_the_document_names_every_step(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Folder, state and sums."""
    found = document(move(pull, there, steps), "r")

    assert [entry["folder"] for entry in found["steps"]] == [one.folder for one in steps]
    assert found["bytes"] == sum(entry["bytes"] for entry in found["steps"]) > 0
