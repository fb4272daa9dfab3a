"""Who uses a cache: commands share a lock on it, and what deletes objects holds it alone; workspaces leave a mark."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.base.workspace import Workspace

LOCK, MARKS = "in-use.lock", "workspaces"  # in the cache


@contextlib.contextmanager
def in_use(workspace: Workspace) -> Iterator[None]:
    """While the block runs, nobody deletes objects of the cache, on whatever machine or in whatever container."""
    handle = _opened(workspace)
    try:
        if handle is not None:  # else the cache cannot be written, by us at least, and nothing was ever deleted there
            fcntl.flock(handle, fcntl.LOCK_SH)
        _leave_mark(workspace)
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """Nobody uses the cache while the block runs.

    Raises:
        WorkspaceError: somebody does, or it cannot be written.
    """
    handle = _opened(workspace)
    if handle is None:
        raise WorkspaceError("the cache cannot be written", where=str(workspace.cache), hint="ask its owner")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        hint = "wait until it ends, then try again"
        raise WorkspaceError("a build uses the cache", where=str(workspace.cache), hint=hint) from None
    try:
        yield
    finally:
        os.close(handle)


def is_own(workspace: Workspace) -> bool:
    """Whether the cache lies in the workspace's own .dvc folder, once links are resolved."""
    return Path(os.path.realpath(workspace.cache)).is_relative_to(os.path.realpath(workspace.dvc))


def marks(workspace: Workspace) -> dict[Path, Path]:
    """The other workspaces that have used the cache, by the file that says so; one may be gone, or elsewhere."""
    found = {}
    with contextlib.suppress(OSError):
        for file in sorted((workspace.cache / MARKS).iterdir()):
            root = Path(os.fsdecode(file.read_bytes().rstrip(b"\n")))
            if not _same(root, workspace.root) and (not (root / ".dvc").is_dir() or uses(root, workspace.cache)):
                found[file] = root
    return found


def uses(root: Path, cache: Path) -> bool:
    """Whether a workspace's cache is this one."""
    try:
        return _same(Workspace(root).cache, cache)
    except (WorkspaceError, OSError):  # its config cannot be read: it may
        return True


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _leave_mark(workspace: Workspace) -> None:
    """In a cache that lies elsewhere: its own files do not say who needs them."""
    if is_own(workspace):
        return
    root = os.fsencode(os.path.realpath(workspace.root))
    file = workspace.cache / MARKS / hashlib.sha256(root).hexdigest()[:16]
    if not file.exists():
        with contextlib.suppress(OSError):
            workspace.in_cache(file.parent)
            file.write_bytes(root + b"\n")
            workspace.share(file)


def _opened(workspace: Workspace) -> int | None:
    """A descriptor of the lock's file, which is never removed; None if it is neither there nor can be made."""
    path = workspace.cache / LOCK
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY)
    with contextlib.suppress(OSError):
        workspace.in_cache(workspace.cache)
        handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        workspace.share(path)
        return handle
    return None
