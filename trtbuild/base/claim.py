"""Folders for work in progress: each belongs to a process, by a lock that the kernel drops when it dies.

Not by a process number: in another PID namespace (two containers on one mount), or on another host of a shared folder,
that number is somebody else's, or nobody's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LOCK = ".lock"  # FOLDER.lock lies beside the folder, and is locked before the folder is made


@dataclass(frozen=True)
class Claim:
    """A folder that is this process's until it is released."""

    folder: Path
    _handle: int

    def release(self) -> None:
        """Remove the folder, then its lock."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            _lock_of(self.folder).unlink()
        os.close(self._handle)


def claim(folder: Path, mode: int = 0o777) -> Claim | None:
    """Make the folder anew for this process; None if another process has it.

    What a dead process left there is removed.  Raises OSError: the place cannot be written.
    """
    handle = _locked(_lock_of(folder))
    if handle is None:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=mode)
    except FileExistsError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return Claim(folder, handle)


@contextlib.contextmanager
def claimed(parent: Path, name: str) -> Iterator[Path]:
    """A new folder in ``parent``, whose name begins with ``name``, while the block runs."""
    made = None
    while made is None:
        made = claim(parent / f"{name}-{secrets.token_hex(4)}")
    try:
        yield made.folder
    finally:
        made.release()


def sweep(parent: Path) -> None:
    """Remove the claimed folders of processes that are gone."""
    for abandoned in _abandoned(parent):
        abandoned.release()


def stale(parent: Path) -> list[Path]:
    """The folders and locks that processes which are gone left there."""
    found = []
    for abandoned in _abandoned(parent):
        os.close(abandoned._handle)
        found += [path for path in (abandoned.folder, _lock_of(abandoned.folder)) if path.exists()]
    # A folder is made after its lock, and removed before it.
    return [*found, *(path for path in parent.glob("*") if path.suffix != _LOCK and not _lock_of(path).exists())]


def is_held(lock: Path) -> bool:
    """Whether a process holds the lock of this file, which is there."""
    try:
        handle = _locked(lock, create=False)
    except OSError:  # it has just been removed, or is another user's
        return True
    if handle is not None:
        os.close(handle)
    return handle is None


def _abandoned(parent: Path) -> Iterator[Claim]:
    """The claims of processes that are gone, locked."""
    for lock in sorted(parent.glob(f"*{_LOCK}")):
        with contextlib.suppress(OSError):  # it has just been removed, or is another user's
            handle = _locked(lock, create=False)
            if handle is not None:
                yield Claim(lock.with_suffix(""), handle)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _locked(path: Path, *, create: bool = True) -> int | None:
    """A descriptor that holds the lock; None if another process does."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except FileNotFoundError:
            pass
        os.close(handle)  # its holder has just removed it
        if not create:
            return None
