"""Tests of DVC's repository lock: a dvc command and we wait for one another."""

from __future__ import annotations

import pytest

from tests.support.publishing import published
from trtbuild.base.errors import WorkspaceError
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
