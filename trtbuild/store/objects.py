"""The content-addressed objects of a DVC cache: find by digest, take in, copy out; damaged ones count as absent."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.base.files import copy_atomic
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import MD5, Digest
from trtbuild.store.digests import Digests, file_md5, parse_listing, signature

DAMAGED_FOLDER = "damaged"  # in the cache: objects that were not what their names say, and a log of them
_NOT_ITS_NAME = "its bytes are not what its name says (md5)"


class DamagedObject(WorkspaceError):
    """An object that seemed intact, but was not when its bytes were read."""


class Objects:
    """Objects of one workspace's cache.

    ``digests`` remembers what was read, ``note`` reports a damaged one, ``sync`` makes a new one outlive a power cut.

    A damaged object counts as absent everywhere: it is never copied out, pushed, or kept in place of good bytes.
    """

    def __init__(
        self, workspace: Workspace, digests: Digests, note: Callable[[str], None], sync: Callable[[Path], None]
    ) -> None:
        self.workspace = workspace
        self._digests, self._note, self._sync = digests, note, sync
        self._damaged: dict[Path, tuple[list[int], str]] = {}  # what was read, and why it is not the object

    def path(self, md5: str) -> Path:
        if not MD5.fullmatch(md5):  # core.record.digest_of has let no such name in
            raise ValueError(f"not an object's name: {md5!r}")
        return self.workspace.cache / "files" / "md5" / md5[:2] / md5[2:]

    def has(self, digest: Digest) -> bool:
        """Whether the cache holds the object and its bytes are what its name says; read again only if changed."""
        path = self.path(digest.md5)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                why = "it is not a file"
            elif self._digests.of_file(path, status) == digest.md5.removesuffix(".dir"):
                return True
            else:
                why = _NOT_ITS_NAME
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            why = f"it cannot be read: {error.strerror}"
        self._found_damaged(path, why)
        return False

    def adopt(self, file: Path, md5: str = "") -> Digest:
        """Move a finished file into the cache (or leave it, if its content is already there).

        ``md5``: its object's name, if the caller has just verified it; folder listings end in ``.dir``.
        """
        digest = Digest(md5 or file_md5(file), file.stat().st_size)
        target = self.path(digest.md5)
        if not self.has(digest):
            self.set_damaged_aside()
            self.workspace.in_cache(target.parent)
            try:
                os.replace(file, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # A cache shared by a team often lies on another disk.
                copy_atomic(file, target, lambda copy: _check(copy, digest, target), synced=False)
            target.chmod(0o444)
            self._digests.remember(target, digest.md5.removesuffix(".dir"))
            self._sync(target)
        return digest

    def copy_out(self, digest: Digest, target: Path, *, synced: bool = True) -> None:
        """Put an object's bytes at ``target``, as a reflink where possible and a copy elsewhere.

        ``synced``: whether they must outlive a power failure.

        Raises:
            DamagedObject: the copy is not the object (a disk may change a file without a new time stamp); ``target`` is
                as it was, and the object counts as absent from now on.
        """
        path = self.path(digest.md5)
        try:
            copy_atomic(path, target, lambda copy: _check(copy, digest, path), synced=synced)
        except DamagedObject:
            self._digests.forget(path)
            self.has(digest)
            raise

    def listing(self, folder: Digest) -> list[dict[str, str]] | None:
        """``md5`` and ``relpath`` of every file in a tracked folder; None if its listing is not in the cache."""
        if not self.has(folder):
            return None
        try:
            return parse_listing(self.path(folder.md5).read_bytes())
        except ValueError as error:
            self._note(f"note   the folder listing {folder.md5} is not one: {error}; it counts as absent")
            return None

    def set_damaged_aside(self) -> None:
        """Move damaged objects out of the way, so that no other tool uses them."""
        while self._damaged:
            path, (seen, why) = self._damaged.popitem()
            with contextlib.suppress(OSError):  # it is not ours to move, or another process has just moved it
                if signature(path.lstat()) == seen:
                    self._set_aside(path, why)

    def _set_aside(self, path: Path, why: str) -> None:
        name = path.parent.name + path.name
        folder = self.workspace.in_cache(self.workspace.cache / DAMAGED_FOLDER)
        path.replace(folder / name)
        stamp = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{stamp} {name}: {why}\n")
        self.workspace.share(folder / "log.txt")

    def _found_damaged(self, path: Path, why: str) -> None:
        with contextlib.suppress(OSError):
            self._damaged[path] = (signature(path.lstat()), why)
        shown = path.relative_to(self.workspace.root) if path.is_relative_to(self.workspace.root) else path
        self._note(f"note   the cache object {shown} is damaged: {why}; it counts as absent")


def _check(copy: Path, digest: Digest, source: Path) -> None:
    if file_md5(copy) != digest.md5.removesuffix(".dir"):
        hint = "the disk may be failing; run it again: a damaged object counts as absent"
        raise DamagedObject(f"a damaged cache object: {_NOT_ITS_NAME}", where=str(source), hint=hint)
