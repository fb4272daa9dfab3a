"""Files: written so that a crash leaves either the old or the new one, and foreign paths kept inside their folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

from trtbuild.base.errors import ConfigError, PlaceError
from trtbuild.base.text import printable

_LONGEST_NAME = 255  # bytes: NAME_MAX of Linux's file systems


def is_inside(relative: str) -> bool:
    """Whether a relative path stays inside its folder, by its text alone: not empty or absolute, no ``..``, no NUL."""
    parts = PurePosixPath(relative).parts
    return bool(parts) and not relative.startswith("/") and ".." not in parts and "\0" not in relative


def inner_path(relative: object) -> str:
    """A path from a record (dvc.lock, models.dvc, a folder's listing), checked: inside its folder, and normalised.

    Raises:
        ValueError: it is not such a path.
    """
    if not isinstance(relative, str):
        raise ValueError(f"{relative!r:.80} does not stay in its folder")
    return _inner_path(relative)


@lru_cache
def _inner_path(relative: str) -> str:
    if not is_inside(relative) or "\\" in relative:
        raise ValueError(f"{relative!r:.80} does not stay in its folder")
    parts = PurePosixPath(relative).parts
    if "/".join(parts) != relative or any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
        raise ValueError(f"{relative!r:.80} is not a path")
    return relative


def inside(
    folder: Path, relative: str, *, where: str, linked: bool = False, replaced: bool = False,
    beside: Sequence[Path] = (),
) -> Path:  # fmt: skip
    """``folder / relative``, where ``relative`` comes from a model, a config, an archive or a record.

    Every such path, read or written, goes through here.

    Args:
        linked: the folder and the links in it are temporary ones of our own.
        replaced: a rename puts something there, so that a link in its own place is not followed.
        beside: other folders that links may lead into (DVC's cache).

    Raises:
        ConfigError: it is empty or absolute, goes up with ``..``, or a link on its way leads out of the folder.
    """
    shown = printable(relative)
    if not is_inside(relative):
        raise ConfigError(f"it names the file '{shown}', which is not inside its own folder", where=where)
    path = folder / relative
    if not linked and not stays(path.parent if replaced else path, folder, *beside):
        hint = "if you trust it, replace the link with a copy of its target"
        raise ConfigError(f"its file '{shown}' is a link that leads out of its folder", where=where, hint=hint)
    return path


def stays(path: Path, *folders: Path) -> bool:
    """Whether a path is in one of these folders once all links are resolved; links in a circle lead nowhere."""
    real = os.path.realpath(path)
    return any(Path(real).is_relative_to(os.path.realpath(folder)) for folder in folders)


def stray_link(path: Path, *folders: Path) -> Path | None:
    """The first link at or below ``path`` that leads out of these folders."""
    if not stays(path, *folders):
        return path
    pending = [path] if path.is_dir() else []
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_symlink():
                    if not stays(Path(entry.path), *folders):
                        return Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
    return None


def check_output(path: Path, *, folder: bool = False) -> None:
    """Refuse, before any work, a file or folder that could not be written when the work is done.

    Raises:
        ConfigError: something of another kind is there, or on the way.  PlaceError: nobody may write there.
    """
    hint = "choose another place"
    if path.is_dir() and not folder:
        raise ConfigError("is a folder", where=str(path), hint="name the file to write")
    if folder and path.exists() and not path.is_dir():
        raise ConfigError("there is a file already, and a folder is needed", where=str(path), hint=hint)
    above = next(each for each in (path if folder else path.parent, *path.absolute().parents) if os.path.lexists(each))
    if not above.is_dir():
        raise ConfigError("it is not a folder, so nothing can be written below it", where=str(above), hint=hint)
    if not os.access(above, os.W_OK | os.X_OK):
        raise PlaceError("the folder cannot be written", where=str(above), hint=f"{hint}, or ask its owner")


def write_atomic(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Write to a temporary file in the same folder, fsync, rename; mode 0644.  ``synced``: see :func:`replacing`."""
    with replacing(path, synced=synced) as temporary:
        temporary.write_bytes(content)


def copy_atomic(
    source: Path, target: Path, check: Callable[[Path], None] = lambda copy: None, *, synced: bool = True
) -> None:
    """Copy a file (as a reflink where the file system can) and rename it into place, writable by its owner.

    ``check`` gets the copy before it is renamed; if it raises, ``target`` stays as it was.
    """
    with replacing(target, synced=synced) as temporary:
        _clone(source, temporary)
        check(temporary)


@contextlib.contextmanager
def replacing(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path``, synced and renamed over it if the block succeeds, removed otherwise.

    ``synced``: whether it must outlive a power failure, which takes some milliseconds.  What is compared with a record
    whenever it is used, and can be made again from it, need not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes 0600, which the rest of a team could not read
        if synced:
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


_FICLONE = 0x40049409  # linux/fs.h: share extents copy-on-write (btrfs, xfs)


def _clone(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        try:
            import fcntl

            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
        except (ImportError, OSError):
            shutil.copyfileobj(read, write, 1 << 20)


def file_sha256(path: Path) -> str:
    with path.open("rb") as handle:
        digest = hashlib.sha256()
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
