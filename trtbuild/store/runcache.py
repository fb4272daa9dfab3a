"""DVC's run cache: the record of every action ever run, found by its recipe and the digests of its inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.base.files import write_atomic
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import Digest, Record, action_key, sorted_sha256, without_sizes
from trtbuild.core.step import Step
from trtbuild.store import tracking
from trtbuild.store.objects import Objects


@dataclass(frozen=True)
class RunCache:
    workspace: Workspace
    objects: Objects

    def remembered(self, step: Step, digests: Mapping[str, Digest]) -> Record | None:
        """The record of this exact action, if all its objects are in the cache; otherwise None."""
        folder = self._folder(action_key(step, digests))
        for path in _oldest_first(folder):  # the first writer wins
            try:
                record = entry_of(step, tracking.parse_yaml(path.read_bytes(), "run cache"))
            except (OSError, WorkspaceError):
                continue
            if record is not None and all(self.objects.has(digest) for digest in record.outs.values()):
                return record
        return None

    def remember(self, step: Step, digests: Mapping[str, Digest], record: Record) -> None:
        """Write the entry of an action; its objects are in the cache already."""
        entry = tracking.lock_entry(record)
        path = self.workspace.in_cache(self._folder(action_key(step, digests))) / value_hash(entry)
        write_atomic(path, tracking.to_yaml(entry), synced=False)
        self.workspace.share(path)

    def content(self, key: str, name: str) -> bytes | None:
        """The bytes of an entry; None if it is not here."""
        try:
            return (self._folder(key) / name).read_bytes()
        except OSError:
            return None

    def _folder(self, key: str) -> Path:
        return self.workspace.cache / "runs" / key[:2] / key


def _oldest_first(folder: Path) -> list[Path]:
    """Entries of one action; temporary files of other writers may come and go."""
    dated = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):
                dated.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(dated)]


def value_hash(entry: object) -> str:
    """Name of a run-cache entry: sha256 of the lock entry without sizes and file counts."""
    return sorted_sha256(without_sizes(entry))


def entry_of(step: Step, entry: object) -> Record | None:
    """The record in a run-cache entry; None if it is not an entry of this step."""
    try:
        record = tracking.record_of(entry)
    except ValueError:
        return None
    return record if set(record.outs) == {out.name for out in step.outs} else None
