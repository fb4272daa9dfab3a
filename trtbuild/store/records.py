"""The records of steps, read from each dvc.lock once: YAML takes 2 ms, so what it said is kept by its signature."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from trtbuild.core.record import Record
from trtbuild.core.step import Step
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
            record = self._recalled(path, step.kind, seen)
            if record is None:
                record = tracking.read_record(Path(path), step.kind, self._note)
                if record is not None and time.time_ns() - status.st_mtime_ns > RACY_NS:
                    self._keep(path, step.kind, seen, record)
            known = self._known[step.folder] = (seen, record)
        return known[1]

    def remember(self, step: Step, record: Record) -> None:
        """Remember a record whose dvc.lock was just written."""
        path = self._path(step)
        self._keep(path, step.kind, signature(os.stat(path)), record)

    def save(self) -> None:
        self._kept.save()

    def _path(self, step: Step) -> str:
        return f"{self._root}/{step.folder}/{tracking.LOCK_FILE}"

    def _recalled(self, path: str, kind: str, seen: list[int]) -> Record | None:
        kept = self._kept.get(path)
        if not isinstance(kept, list) or len(kept) != 3 or kept[:2] != [seen, kind]:
            return None
        try:
            return tracking.record_of(kept[2])
        except ValueError:  # a later version's, say
            return None

    def _keep(self, path: str, kind: str, seen: list[int], record: Record) -> None:
        entry = tracking.lock_entry(record)
        try:
            if json.loads(json.dumps(entry)) == entry:  # YAML has values that JSON has not
                self._kept.put(path, [seen, kind, entry])
        except (TypeError, ValueError):
            pass
