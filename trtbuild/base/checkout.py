"""Files that a checkout lacks, though the repository has them: Git LFS pointers, submodules, sparse checkouts."""

from __future__ import annotations

import configparser
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from trtbuild.base.errors import WorkspaceError

_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST_POINTER = 1024  # bytes, by its specification


def whole(path: Path, shown: str = "") -> None:
    """Nothing, if a file or folder is here with all of its bytes, or is not in any repository.

    Raises:
        WorkspaceError: the checkout is incomplete: it has a pointer in its place, or nothing.
    """
    name = shown or str(path)
    if (pointer := next(_pointers(path), None)) is not None:
        inner = f"{name}/{pointer.relative_to(path)}" if pointer != path else name
        raise _incomplete("a Git LFS pointer is there instead of the file", inner, "run: git lfs pull")
    if path.exists():
        return
    top = next((parent for parent in path.absolute().parents if (parent / ".git").exists()), None)
    if top is None:
        return
    for module in _submodules(top):
        folder = top / module
        if path.absolute().is_relative_to(folder) and not (folder / ".git").exists():
            what = f"it is in the submodule {module}, which is not checked out"
            raise _incomplete(what, name, f"run: git submodule update --init {module}")
    if _tracked(top, path.absolute()):
        raise _incomplete(
            "git has it, but not the working tree", name, f"run: git restore {name}, or widen the sparse checkout"
        )


def _incomplete(what: str, where: str, hint: str) -> WorkspaceError:
    return WorkspaceError(f"an incomplete checkout: {what}", where=where, hint=hint)


def _pointers(path: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(path):
        for name in names:
            yield from _pointers(Path(parent, name))
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_size <= _LARGEST_POINTER and path.read_bytes().startswith(_POINTER):
            yield path


def _submodules(top: Path) -> list[str]:
    config = configparser.ConfigParser(interpolation=None, strict=False)
    with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
        config.read_string("\n".join(line.strip() for line in (top / ".gitmodules").read_text("utf-8").splitlines()))
    return [config[section]["path"] for section in config.sections() if "path" in config[section]]


def _tracked(top: Path, path: Path) -> bool:
    """Whether git's index has a file, or anything in a folder."""
    with contextlib.suppress(OSError):
        asked = ["git", "ls-files", "--", os.path.relpath(path, top)]
        done = subprocess.run(asked, cwd=top, capture_output=True, stdin=subprocess.DEVNULL)
        return done.returncode == 0 and bool(done.stdout)
    return False
