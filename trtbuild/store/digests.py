"""DVC's digests of workspace files and folders, remembered by the stat signature of each file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from trtbuild.base.files import inner_path
from trtbuild.core.record import MD5, Digest, digest_of
from trtbuild.store.kept import Kept

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_CHUNK = 1 << 20
# A file changed within this time before it was hashed may change again without a new time stamp ("racy git").
RACY_NS = 50_000_000


class Digests:
    """Digests of the files under one root; ``state_file`` keeps the signatures for the next process."""

    def __init__(self, root: Path, state_file: Path) -> None:
        self._root, self._state = root, Kept(root, state_file)

    def of(self, path: str) -> Digest | None:
        """The digest of a file or folder; None if it is missing."""
        full = f"{self._root}/{path}"
        try:
            status = os.stat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(status.st_mode):
            return self._of_folder(Path(full))
        return Digest(self.of_file(full, status), status.st_size)

    def of_file(self, path: str | Path, status: os.stat_result) -> str:
        """The md5 of a file with this status, which need not be under the root."""
        seen, name = signature(status), str(path)
        known = self._state.get(name)
        if isinstance(known, list) and known[:4] == seen and len(known) == 5 and MD5.fullmatch(str(known[4])):
            return str(known[4])
        md5 = file_md5(Path(path))
        if time.time_ns() - status.st_mtime_ns > RACY_NS:
            self._state.put(name, [*seen, md5])
        return md5

    def remember(self, path: Path, md5: str) -> None:
        """Remember the md5 of a file that was just written from verified content."""
        self._state.put(str(path), [*signature(path.stat()), md5])

    def forget(self, path: Path) -> None:
        """Forget a file whose bytes are not what was remembered, whatever its signature says."""
        self._state.drop(str(path))

    def save(self) -> None:
        """Keep the stat signatures for the next process; losing them costs time, never correctness."""
        self._state.save()

    def listing(self, path: str) -> list[dict[str, str]]:
        """``md5`` and ``relpath`` of every file of a folder."""
        return self._list(self._root / path)[0]

    def _of_folder(self, folder: Path) -> Digest:
        listing, size = self._list(folder)
        digest = listing_digest(listing)
        return Digest(digest.md5, size, len(listing))

    def _list(self, folder: Path) -> tuple[list[dict[str, str]], int]:
        """Its listing, and the bytes of all files."""
        listing, size = [], 0
        for parent, folders, names in os.walk(folder, followlinks=True):
            folders[:] = sorted(name for name in folders if not self._ignored(Path(parent, name), "/"))
            for name in names:
                full = Path(parent, name)
                if self._ignored(full):
                    continue
                status = full.stat()
                size += status.st_size
                listing.append({"md5": self.of_file(full, status), "relpath": full.relative_to(folder).as_posix()})
        return listing, size

    @cached_property
    def _ignore(self) -> GitIgnoreSpec | None:
        return _dvcignore(self._root / ".dvcignore")

    def _ignored(self, path: Path, end: str = "") -> bool:
        """Whether the workspace's .dvcignore excludes a path, as in DVC (git's syntax)."""
        return self._ignore is not None and self._ignore.match_file(path.relative_to(self._root).as_posix() + end)


def signature(status: os.stat_result) -> list[int]:
    """A signature that changes whenever a file's content does."""
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]


def file_md5(path: Path) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            md5.update(chunk)
    return md5.hexdigest()


def listing_digest(listing: list[dict[str, str]]) -> Digest:
    """DVC's digest of a folder: md5 of its sorted listing as JSON (dvc_data/hashfile/tree.py), ``.dir`` appended."""
    content = listing_bytes(listing)
    return Digest(hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir", None, len(listing))


def listing_bytes(listing: list[dict[str, str]]) -> bytes:
    return json.dumps(sorted(listing, key=lambda e: e["relpath"]), sort_keys=True).encode()


def parse_listing(content: bytes) -> list[dict[str, str]]:
    """``md5`` and ``relpath`` of each file in a folder, from DVC's listing of it.

    Raises:
        ValueError: it is not a listing, or has an invalid digest or a path that leaves the folder.
    """
    try:
        listing = json.loads(content)
    except RecursionError:
        raise ValueError("it is not a list") from None
    if not isinstance(listing, list):
        raise ValueError("it is not a list")
    found = [{"md5": digest_of(entry).md5, "relpath": inner_path(entry.get("relpath"))} for entry in listing]
    for entry in found:
        if entry["md5"].endswith(".dir"):
            raise ValueError(f"{entry['relpath']!r:.80} is a folder in it")
    paths = {entry["relpath"] for entry in found}
    if len(paths) < len(found) or any(str(parent) in paths for path in paths for parent in PurePosixPath(path).parents):
        raise ValueError("two of its paths are in each other's way")
    return found


def _dvcignore(path: Path) -> GitIgnoreSpec | None:
    """The patterns of a .dvcignore, or None if there are none."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(lines)
