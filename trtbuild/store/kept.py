"""What was found out about files, kept for the next process by path: several private shortcuts, read when needed."""

from __future__ import annotations

import contextlib
from pathlib import Path

from trtbuild.base import shortcut
from trtbuild.base.files import write_atomic


class Kept:
    """Values by path.  ``file`` has those of sources; the files of each model's build and the objects have their own.

    So a command reads what it needs of a large workspace.  Losing values costs time, never correctness.
    """

    def __init__(self, root: Path, file: Path) -> None:
        self._build, self._file = f"{root}/build/", file
        self._parts: dict[str, dict[str, object]] = {}
        self._changed: set[str] = set()

    def get(self, path: str) -> object:
        return self._part(self._name(path)).get(path)

    def put(self, path: str, value: object) -> None:
        name = self._name(path)
        self._part(name)[path] = value
        self._changed.add(name)

    def drop(self, path: str) -> None:
        name = self._name(path)
        if self._part(name).pop(path, None) is not None:
            self._changed.add(name)

    def save(self) -> None:
        """Write what has changed."""
        for name in self._changed:
            with contextlib.suppress(OSError, TypeError, ValueError):  # it is only a shortcut
                write_atomic(self._path(name), shortcut.dumps(self._parts[name]), synced=False)
        self._changed = set()

    def _name(self, path: str) -> str:
        if path.startswith(self._build):
            return "build+" + path[len(self._build) :].partition("/")[0]
        return "objects" if "/files/md5/" in path else ""

    def _path(self, name: str) -> Path:
        return self._file.with_suffix("") / f"{name}.json" if name else self._file

    def _part(self, name: str) -> dict[str, object]:
        if name not in self._parts:
            loaded = shortcut.load(str(self._path(name)))
            self._parts[name] = loaded if isinstance(loaded, dict) else {}
        return self._parts[name]
