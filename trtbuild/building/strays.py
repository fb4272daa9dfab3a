"""Folders in ``build/`` that belong to no record."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from trtbuild.base.workspace import PAGES
from trtbuild.core.step import KEY
from trtbuild.store.tracking import LOCK_FILE

_STEP = re.compile(rf"[a-z].*-{KEY}")


def strays(root: Path) -> Iterator[tuple[Path, bool]]:
    """Each folder of a workspace's ``build/`` without a record in it or below; and whether it is named as a step's."""
    build = root / "build"
    recorded = {folder for lock in build.rglob(LOCK_FILE) for folder in lock.parents}
    if build.is_dir():
        for folder in _folders(build):
            if f"build/{folder.name}" not in PAGES:
                yield from _below(folder, recorded)


def _below(folder: Path, recorded: Collection[Path]) -> Iterator[tuple[Path, bool]]:
    inner = list(_folders(folder))
    if (folder / LOCK_FILE).exists():
        return
    if folder not in recorded and (_STEP.fullmatch(folder.name) or len(inner) < len(os.listdir(folder))):
        yield folder, _STEP.fullmatch(folder.name) is not None
        return
    for one in inner:
        yield from _below(one, recorded)


def _folders(folder: Path) -> Iterator[Path]:
    """Not those behind links: they are elsewhere."""
    yield from (path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink())
