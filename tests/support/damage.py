"""Ways in which a file of the cache is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    """A byte, as a failing disk does: size and mode stay."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    path.chmod(0o444)


def flip_behind_its_time_stamp(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.unlink()
    path.touch()


def grow(path: Path) -> None:
    path.chmod(0o644)
    with path.open("ab") as handle:
        handle.write(b"more")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to_another(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"another file")
    path.unlink()
    path.symlink_to(other)


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGES = [flip, flip_behind_its_time_stamp, cut, empty, grow, folder, fifo, link_to_another, link_to_itself]
