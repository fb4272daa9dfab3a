"""The content-addressed objects of a DVC cache: find by digest, take in, read a folder's listing."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path

from trtbuild.core.record import Digest
from trtbuild.files import copy_atomic
from trtbuild.records.digests import file_md5
from trtbuild.workspace import Workspace


@dataclass(frozen=True)
class Objects:
    workspace: Workspace

    def path(self, md5: str) -> Path:
        return self.workspace.cache / "files" / "md5" / md5[:2] / md5[2:]

    def has(self, digest: Digest) -> bool:
        """Whether the cache holds the object, at its full size (an interrupted copy of another tool may be short)."""
        try:
            size = self.path(digest.md5).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return False
        return digest.size in (None, size)

    def adopt(self, file: Path, md5: str = "") -> Digest:
        """Move a finished file into the cache (or drop it when its content is there already).

        ``md5``: its object's name, when the caller has just verified it; folder listings end in ``.dir``.
        """
        digest = Digest(md5 or file_md5(file), file.stat().st_size)
        target = self.path(digest.md5)
        if not self.has(digest):
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
            try:
                os.replace(file, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                copy_atomic(file, target)  # a cache shared by a team often lies on another disk
            target.chmod(0o444)
        return digest

    def listing(self, folder: Digest) -> list[dict[str, str]] | None:
        """``md5`` and ``relpath`` of every file in a tracked folder, when the cache knows."""
        try:
            found: list[dict[str, str]] = json.loads(self.path(folder.md5).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found
