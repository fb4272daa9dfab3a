"""Stat signatures of files: whether one may have changed, without reading it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator


def stat_signature(path: str) -> list[int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]


def everything(paths: Iterable[str]) -> Iterator[str]:
    """The paths, and for a folder every folder and file below it: a new file changes its folder's time stamp.

    Links are followed, as they are when a file is read; a link back to a folder above it is not followed again.
    """
    for path in paths:
        yield path
        yield from _below(path, ())


def _below(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    try:
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if not stat.S_ISDIR(status.st_mode) or identity in above:
            return
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name != "__pycache__":
            path = os.path.join(folder, name)
            yield path
            yield from _below(path, (*above, identity))
