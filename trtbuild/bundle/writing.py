"""Bundles on disk: a folder or a tar archive that appears whole, with the same bytes and modes everywhere."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.errors import BundleError, ConfigError
from trtbuild.base.files import check_output, copy_atomic, replacing, write_atomic
from trtbuild.bundle.making import Content
from trtbuild.documents.bundle import MANIFEST
from trtbuild.loader.files import CHUNK, RECORD, Archive, header, padding


def check_target(path: Path, *, archive: bool) -> None:
    """Refuse to write over anything but an earlier bundle.

    Raises:
        ConfigError: something else is there.  PlaceError: nobody may write there.
    """
    check_output(path.absolute().parent, folder=True)
    if not os.path.lexists(path):
        return
    if path.is_symlink() or path.is_dir() == archive:
        kind = "a link" if path.is_symlink() else "a file" if path.is_file() else "a folder"
        raise ConfigError(f"there is {kind} already", where=str(path), hint="choose another place with -o")
    if archive:
        try:
            old = MANIFEST in Archive(path).names()[0]
        except BundleError:
            old = False
    else:
        old = (path / MANIFEST).is_file() or not any(path.iterdir())
    if not old:
        what = "it exists, and is not a bundle"
        raise ConfigError(what, where=str(path), hint="choose another place with -o, or delete it")


def write_folder(path: Path, contents: Mapping[str, Content]) -> None:
    """Write beside the place and rename; an earlier bundle there is replaced."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        fresh = made / "new"
        fresh.mkdir()
        for name, content in sorted(contents.items()):
            if isinstance(content, bytes):
                write_atomic(fresh / name, content)
            else:
                copy_atomic(content, fresh / name)
        for folder in (fresh, *(found for found in fresh.rglob("*") if found.is_dir())):
            folder.chmod(0o755)  # whatever the umask
        _exchange(fresh, path, made / "old")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _exchange(fresh: Path, path: Path, old: Path) -> None:
    """Rename an earlier folder aside and the new one into its place; back again if that fails."""
    try:
        if path.exists():
            path.rename(old)
        fresh.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise


def write_archive(path: Path, contents: Mapping[str, Content]) -> None:
    """ustar in its one form (docs/bundle.md)."""
    with replacing(path.absolute()) as temporary, temporary.open("wb") as out:
        for name, content in sorted(contents.items()):
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            out.write(header(name, size))
            if isinstance(content, bytes):
                out.write(content)
            else:
                with content.open("rb") as file:
                    shutil.copyfileobj(file, out, CHUNK)
            out.write(padding(size))
        out.write(bytes(1024))
        out.write(padding(out.tell(), RECORD))
