"""The records of steps: each dvc.lock is read once, as YAML takes a millisecond, and its digests kept by its signature.

What else a record says is the step's own request, and not kept; one that says anything else is read each time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.files import inner_path
from trtbuild.core.record import Digest, Record, command, digest_of, params
from trtbuild.core.step import Step, canonical
from trtbuild.store import tracking
from trtbuild.store.digests import RACY_NS, signature
from trtbuild.store.kept import Kept


class Records:
    """Records of one workspace; ``file`` keeps what was read for the next process."""

    def __init__(self, root: Path, file: Path, note: tracking.Note) -> None:
        self._root, self._note, self._kept = root, note, Kept(root, file)
        self._known: dict[str, tuple[list[int], Record | None]] = {}

    def of(self, step: Step) -> Record | None:
        """The step's dvc.lock; read again only when its signature has changed.  A damaged one counts as absent."""
        path = self._path(step)
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        seen = signature(status)
        known = self._known.get(step.folder)
        if known is None or known[0] != seen:
            record = self._recalled(path, step, seen)
            if record is None:
                record = tracking.read_record(Path(path), step.kind, self._note)
                if record is not None and time.time_ns() - status.st_mtime_ns > RACY_NS:
                    self._keep(path, step, seen, record)
            known = self._known[step.folder] = (seen, record)
        return known[1]

    def remember(self, step: Step, record: Record) -> None:
        """Remember a record whose dvc.lock was just written."""
        path = self._path(step)
        self._keep(path, step, signature(os.stat(path)), record)

    def save(self) -> None:
        self._kept.save()

    def _path(self, step: Step) -> str:
        return f"{self._root}/{step.folder}/{tracking.LOCK_FILE}"

    def _recalled(self, path: str, step: Step, seen: list[int]) -> Record | None:
        kept = self._kept.get(path)
        if not isinstance(kept, list) or len(kept) != 4 or kept[:2] != [seen, step.key]:
            return None
        try:
            deps, outs = _digests(kept[2]), _digests(kept[3])
            for name in outs:
                inner_path(name)
        except ValueError:  # a later version's, say
            return None
        return Record(command(step), deps, params(step), outs)

    def _keep(self, path: str, step: Step, seen: list[int], record: Record) -> None:
        try:
            own = record.cmd == command(step) and canonical(record.params) == canonical(params(step))
        except (TypeError, ValueError):  # YAML has values that JSON has not
            return
        if own:
            self._kept.put(path, [seen, step.key, _entries(record.deps), _entries(record.outs)])


def _entries(digests: Mapping[str, Digest]) -> dict[str, list[str | int | None]]:
    return {path: [digest.md5, digest.size, digest.files] for path, digest in digests.items()}


def _digests(entries: object) -> dict[str, Digest]:
    """Raises ValueError: they have another form."""
    if not isinstance(entries, dict):
        raise ValueError("not digests by path")
    return {path: _digest(entry) for path, entry in entries.items()}


def _digest(entry: object) -> Digest:
    if not isinstance(entry, list) or len(entry) != 3:
        raise ValueError("not a digest")
    return digest_of(dict(zip(("md5", "size", "nfiles"), entry, strict=True)))
