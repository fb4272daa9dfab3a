"""Composed configs, kept for the next time: Hydra takes 60 ms for each variant, and all are planned before one starts.

Kept in the workspace's private folder, for one content of conf/: any change there forgets them all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

MOST = 2000  # entries: a few kilobytes each
_RESOLVER = re.compile(rb"\$\{\s*[\w.]+\s*:")  # ${oc.env:X}, ${now:...}: more than conf/ decides what it gives

Composition = tuple[dict[str, Any], dict[str, Any]]  # the config by group, the chosen option by group


class Composed:
    """What these folders were composed to before, by the words that were said."""

    def __init__(self, private: Path, folders: Sequence[Path]) -> None:
        self._file = private / "composed.json"
        self._digest = _digest(folders)
        self._entries: dict[str, Composition] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self._file.read_text("utf-8"))
            if found["digest"] == self._digest:
                self._entries = dict(found["entries"])

    def recall(self, overrides: Sequence[str]) -> Composition | None:
        found = self._entries.get("\0".join(overrides))
        return None if found is None else (found[0], found[1])

    def add(self, overrides: Sequence[str], composition: Composition) -> None:
        if self._digest and not any(_RESOLVER.search(word.encode()) for word in overrides):
            self._entries["\0".join(overrides)] = composition
            self._changed = True

    def keep(self) -> None:
        """Write what is new; only where a build has made the private folder, so that a plan writes nothing anew."""
        if not self._changed or not self._file.parent.is_dir():
            return
        kept = dict(list(self._entries.items())[-MOST:])
        partial = self._file.with_name(f"{self._file.name}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError, TypeError, ValueError):  # it is only a shortcut
            partial.write_text(json.dumps({"digest": self._digest, "entries": kept}), "utf-8")
            partial.replace(self._file)
        partial.unlink(missing_ok=True)


def _digest(folders: Sequence[Path]) -> str:
    """Of every config file's name and bytes, and of what composes them; "" where something else decides too."""
    sha = hashlib.sha256("\0".join([version("hydra-core"), version("omegaconf")]).encode())
    for folder in folders:
        sha.update(os.fsencode(folder) + b"\0")
        for path in sorted(folder.rglob("*.yaml")):
            try:
                content = path.read_bytes()
            except OSError:
                return ""
            if _RESOLVER.search(content):
                return ""
            sha.update(os.fsencode(path.relative_to(folder)) + b"\0" + content + b"\0")
    return sha.hexdigest()
