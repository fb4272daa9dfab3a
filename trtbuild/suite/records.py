"""Results that are kept: a line of JSON each, appended as soon as it is there, so that a killed run loses nothing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Generic, TypeVar

_OUTDATED = 4  # lines per live record, beyond which the file is rewritten


Value = TypeVar("Value")  # what JSON can hold


class Records(Generic[Value]):
    """One file of records by key; a key's last line counts.  Several processes may append to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Value] = {}
        self._lines = 0
        with contextlib.suppress(OSError):
            for line in path.read_text("utf-8", errors="replace").splitlines():
                self._lines += 1
                with contextlib.suppress(ValueError, KeyError, TypeError):  # half a line, of a process that was killed
                    entry = json.loads(line)
                    self._found[entry["key"]] = entry["value"]

    def get(self, key: str) -> Value | None:
        return self._found.get(key)

    def put(self, key: str, value: Value) -> None:
        self._found[key] = value
        self._lines += 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Begins with a line break: half a line left by a killed process must not spoil this one.
        line = "\n" + json.dumps({"key": key, "value": value}, separators=(",", ":")) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def tidy(self, used: set[str]) -> None:
        """Drop what no key of ``used`` names, when most of the file is that."""
        if self._lines <= 2 * _OUTDATED * max(len(used), 1):
            return
        from trtbuild.base.files import write_atomic

        kept = {key: value for key, value in self._found.items() if key in used}
        lines = [json.dumps({"key": key, "value": value}, separators=(",", ":")) for key, value in kept.items()]
        write_atomic(self._path, "".join(f"{line}\n" for line in lines).encode())
