"""DVC's own repository lock: a dvc command that runs at the same time waits instead of reading half a step."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.base.workspace import not_writable

_LOCK_WAIT_S = 30.0


@contextlib.contextmanager
def repository_lock(dvc: Path) -> Iterator[None]:
    """Hold the lock while the block runs; ``dvc`` is the workspace's .dvc folder.

    Raises:
        WorkspaceError: a dvc command has held it for too long, or the workspace cannot be written.
    """
    import fcntl

    path = dvc / "tmp" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise not_writable(error, dvc.parent) from None
    with handle:
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                if time.monotonic() > deadline:
                    hint = "wait for that command, or stop it"
                    raise WorkspaceError("a dvc command holds the lock", where=str(path), hint=hint) from None
                time.sleep(0.05)
        yield
