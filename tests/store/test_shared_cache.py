"""Tests of ``cache.shared group``: what another account of the group finds in the cache, it can use and add to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakes import chain
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import Digest, new_record
from trtbuild.store import Store, usage


@pytest.fixture(autouse=True)
def nobody_else() -> Iterator[None]:
    """The umask of an account that shares nothing."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.parametrize(("said", "folder", "entry"), [("group", 0o2775, 0o664), ("", 0o700, 0o644)])
def test_modes_are_dvcs(workspace: Workspace, said: str, folder: int, entry: int) -> None:
    """Of folders, run-cache entries and locks; an object is read-only in any case."""
    (workspace.dvc / "config").write_text(f"[cache]\n    shared = {said}\n" if said else "", "utf-8")
    store = Store(Workspace(workspace.root))
    (one,) = chain("a")
    made = workspace.work / "made"
    made.write_bytes(b"result")
    with usage.in_use(store.workspace):
        record = new_record(one, {}, {out.name: store.objects.adopt(made) for out in one.outs[:1]})
        store.runs.remember(one, {}, record)

    modes: dict[Path, int] = {path: stat.S_IMODE(path.stat().st_mode) for path in store.workspace.cache.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {folder}
    assert {mode for path, mode in modes.items() if path.is_file() and "runs" in path.parts} == {entry}
    if said:
        assert modes[store.workspace.cache / usage.LOCK] == entry
    assert modes[store.objects.path(Digest(next(iter(record.outs.values())).md5).md5)] == 0o444


def test_a_folder_that_another_account_makes_meanwhile_is_used(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its owner can change its mode, and has."""
    (workspace.dvc / "config").write_text("[cache]\n    shared = group\n", "utf-8")
    (workspace.cache / "files").mkdir(parents=True)

    def refused(path: Path, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.setattr(Path, "chmod", refused)
    assert Workspace(workspace.root).in_cache(workspace.cache / "files") == workspace.cache / "files"
