"""The files of a bundle, a folder or a tar archive: listed without following links, read up to a limit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from trtbuild.base.errors import BundleError
from trtbuild.base.text import printable

CHUNK = 1 << 20
MAX_ENTRIES = 2000  # of a folder: 1,000 files, and the folders that they are in
RECORD = 10_240  # bytes: an archive is a multiple of it
_BLOCK = tarfile.BLOCKSIZE


class Files(Protocol):
    """``names``: paths below the bundle's root, and ``folders``, of which no file is a link."""

    def names(self) -> tuple[frozenset[str], frozenset[str]]: ...

    def open(self, name: str) -> OpenFile: ...


@dataclass(frozen=True)
class OpenFile:
    """One file, ``start`` bytes into ``handle``, of a size that is known before it is read."""

    name: str
    handle: IO[bytes]
    start: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """All of it; BundleError if it changes in size while it is read."""
        left = self.size
        while left:
            chunk = _at(self.handle, self.start + self.size - left, min(CHUNK, left), self.name)
            if not chunk:
                raise BundleError("it ends early", where=self.name, reason="size")
            left -= len(chunk)
            yield chunk

    def read(self) -> bytes:
        return b"".join(self.chunks())

    def digest(self, *, keep: bool) -> tuple[str, bytes]:
        """The sha256 of its bytes, and the bytes themselves if they are to be kept: what was hashed is what is used."""
        sha, kept = hashlib.sha256(), []
        for chunk in self.chunks():
            sha.update(chunk)
            if keep:
                kept.append(chunk)
        return sha.hexdigest(), b"".join(kept)


class Folder:
    """A bundle as a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        files: set[str] = set()
        folders: set[str] = set()
        pending = [""]
        while pending:
            inner = pending.pop()
            with _scanned(self.root / inner, inner) as entries:
                for entry in entries:
                    name = f"{inner}/{entry.name}" if inner else entry.name
                    if entry.is_symlink():
                        raise BundleError("it is a link", where=printable(name), reason="link")
                    if entry.is_dir(follow_symlinks=False):
                        folders.add(name)
                        pending.append(name)
                    elif entry.is_file(follow_symlinks=False):
                        files.add(name)
                    else:
                        raise _special(name)
                    if len(files) + len(folders) > MAX_ENTRIES:
                        what = f"it has more than {MAX_ENTRIES} files and folders"
                        raise BundleError(what, where=str(self.root), reason="limit")
        return frozenset(files), frozenset(folders)

    def open(self, name: str) -> OpenFile:
        """Raises BundleError: there is no such file, or it is a link or not a file."""
        path = self.root / name
        try:
            if stat.S_ISLNK(path.lstat().st_mode):
                raise BundleError("it is a link", where=name, reason="link")
            # Not blocking, so that a pipe is refused and not waited for.
            handle = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise missing(name) from None
        except IsADirectoryError:
            raise _special(name) from None
        except OSError as error:
            raise _unreadable(error, name) from None
        facts = os.fstat(handle.fileno())
        if not stat.S_ISREG(facts.st_mode):
            handle.close()
            raise _special(name)
        return OpenFile(name, handle, 0, facts.st_size)


class Archive:
    """A bundle as a tar archive, whose headers and padding have the one form that docs/bundle.md describes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as handle:
                self._places: Mapping[str, tuple[int, int]] = dict(_index(handle, os.fstat(handle.fileno()).st_size))
        except OSError as error:
            raise _unreadable(error, str(path)) from None

    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(self._places), parents(self._places)

    def open(self, name: str) -> OpenFile:
        if name not in self._places:
            raise missing(name)
        return OpenFile(name, self.path.open("rb"), *self._places[name])


def open_files(path: Path) -> Files:
    """Raises BundleError: there is neither a folder nor an archive of the one form."""
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise BundleError("no such bundle", where=str(path), reason="missing")
    if not path.is_file():
        raise _special(str(path))
    return Archive(path)


def header(name: str, size: int) -> bytes:
    """The only header that a member may have."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    return member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def padding(size: int, unit: int = _BLOCK) -> bytes:
    return bytes(-size % unit)


def _index(handle: IO[bytes], total: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every member's name, place and size; each byte that is not a member's content is compared with its only form."""
    place, before = 0, ""
    if total % RECORD or not total:
        raise _malformed(f"its size is not a multiple of {RECORD}")
    for _ in range(MAX_ENTRIES):
        block = _at(handle, place, _BLOCK)
        if not any(block):
            rest = total - place
            if rest != 2 * _BLOCK + -(place + 2 * _BLOCK) % RECORD or any(_at(handle, place, rest)):
                raise _malformed("it does not end as it should")
            return
        try:
            member = tarfile.TarInfo.frombuf(block, "ascii", "strict")
            name, size = member.name, member.size
            right = header(name, size) == block
        except (tarfile.HeaderError, ValueError):
            raise _malformed(f"the header at byte {place} is damaged") from None
        if not right:
            raise _malformed(f"the header of '{printable(name)}' does not have the form of a bundle's")
        if name <= before or place + _BLOCK + size > total:
            raise _malformed(f"'{printable(name)}' is not in its place")
        yield name, (place + _BLOCK, size)
        end = place + _BLOCK + size
        place = end + len(padding(size))
        if _at(handle, end, place - end) != padding(size):
            raise _malformed(f"there is something between '{printable(name)}' and the next file")
        before = name
    raise BundleError(f"it has more than {MAX_ENTRIES} files", reason="limit")


def _at(handle: IO[bytes], place: int, size: int, name: str = "archive") -> bytes:
    try:
        handle.seek(place)
        return handle.read(size)
    except OSError as error:
        raise _unreadable(error, name) from None


def _malformed(what: str) -> BundleError:
    hint = "pack and unpack bundles with trtbuild, or verify the folder"
    return BundleError(what, where="archive", hint=hint, reason="archive")


def missing(name: str) -> BundleError:
    return BundleError("it is not there", where=name, reason="missing")


def _scanned(folder: Path, name: str) -> os._ScandirIterator[str]:
    try:
        return os.scandir(folder)
    except OSError as error:
        raise _unreadable(error, name) from None


def _unreadable(error: OSError, name: str) -> BundleError:
    return BundleError(f"it cannot be read: {error.strerror}", where=printable(name), reason="missing")


def _special(name: str) -> BundleError:
    return BundleError("it is not a regular file", where=printable(name), reason="kind")


@contextlib.contextmanager
def opened(files: Files, name: str) -> Iterator[OpenFile]:
    file = files.open(name)
    try:
        yield file
    finally:
        file.handle.close()


def parents(names: Iterable[str]) -> frozenset[str]:
    """Every folder on the way to a file.

    >>> sorted(parents(["a/b/c", "d"]))
    ['a', 'a/b']
    """
    split = [name.split("/") for name in names]
    return frozenset("/".join(parts[:n]) for parts in split for n in range(1, len(parts)))
