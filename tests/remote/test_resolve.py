"""Tests of finding a record by the key of its action."""

from __future__ import annotations

from trtbuild.core.step import File, Step
from trtbuild.remote.remotes import Remote, open_remote
from trtbuild.remote.resolve import resolve, runs_folder
from trtbuild.store import Store


def test_a_key_is_looked_up_without_listing_the_run_cache(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Only the folders of the asked keys are listed."""
    listed: list[str] = []

    class Watched(Remote):
        def files(self, folder: str) -> list[str]:
            listed.append(folder)
            return super().files(folder)

    plain = open_remote(there.workspace)
    found = resolve(steps, there, Watched(plain.name, plain.url, plain.fs, plain.root))

    assert [one.record is not None for one in found.values()] == [True] * 3
    assert len(listed) == 3
    assert all(folder.startswith("runs/") and len(folder) == len(runs_folder("0" * 64)) for folder in listed)
    assert File("models/source") in steps[0].inputs.values()
