"""Tests of DVC's repository lock: a dvc command and we wait for one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.publishing import published
from trtbuild.base.errors import WorkspaceError
from trtbuild.base.workspace import Workspace
from trtbuild.store import Store
from trtbuild.store.dvclock import repository_lock


def test_a_running_dvc_command_is_waited_for(dvc_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's repository lock and ours are one; who waits too long is told."""
    from dvc.lock import Lock

    monkeypatch.setattr("trtbuild.store.dvclock._LOCK_WAIT_S", 0.0)
    folder = dvc_store.workspace.dvc / "tmp"
    folder.mkdir(exist_ok=True)
    with Lock(str(folder / "lock")), pytest.raises(WorkspaceError, match="a dvc command holds the lock"):
        published(dvc_store)

    assert published(dvc_store)


def test_dvc_waits_for_us(dvc_store: Store) -> None:
    """While outputs are put in place, a dvc command cannot start."""
    import zc.lockfile

    lock = str(dvc_store.workspace.dvc / "tmp" / "lock")
    with repository_lock(dvc_store.workspace.dvc), pytest.raises(zc.lockfile.LockError):
        zc.lockfile.LockFile(lock)

    zc.lockfile.LockFile(lock).close()


def test_a_workspace_of_another_user_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do: pull and gc begin with the lock."""

    def denied(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    said = "tmp/lock: the workspace cannot be written: Permission denied; ask its owner for access$"
    with pytest.raises(WorkspaceError, match=said), repository_lock(workspace.dvc):
        pass
