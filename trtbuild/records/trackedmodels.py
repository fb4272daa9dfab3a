"""What ``models.dvc`` says of source files: their digests where they are not in the workspace, and what to pull."""

from __future__ import annotations

from pathlib import Path

from trtbuild import tracking
from trtbuild.core.record import Digest
from trtbuild.records.digests import listing_digest
from trtbuild.records.objects import Objects

_PULL_ALL_BYTES = 64 << 20


class TrackedModels:
    """The entries of one workspace's ``models.dvc``, as they were when it was read."""

    def __init__(self, root: Path, objects: Objects) -> None:
        self._root, self._objects = root, objects
        self._entries = tracking.recorded_models(root)

    def tracked_by(self, path: str) -> str | None:
        """The entry that a path is, or lies in."""
        return next((entry for entry in self._entries if path == entry or path.startswith(entry + "/")), None)

    def pull_target(self, tracked: str) -> str:
        """What to pull for one entry: all of ``models.dvc`` when that is little, the entry alone when it is much.

        To DVC, models.dvc is one stage: ``dvc repro`` and ``dvc status`` want every entry of it to be there.
        """
        total = sum(digest.size or _PULL_ALL_BYTES for digest in self._entries.values())
        return tracking.MODELS_FILE if total <= _PULL_ALL_BYTES else tracked

    def absent(self) -> list[str]:
        """Entries that the workspace does not have."""
        return [tracked for tracked in self._entries if not (self._root / tracked).exists()]

    def digest(self, tracked: str) -> Digest:
        """Of one of the entries."""
        return self._entries[tracked]

    def recorded(self, path: str) -> Digest | None:
        """Of an entry, or of what lies in one; None when neither ``models.dvc`` nor the cache knows."""
        tracked = self.tracked_by(path)
        if tracked is None or path == tracked:
            return self._entries.get(tracked or "")
        return self._inside(self._entries[tracked], path[len(tracked) + 1 :])

    def _inside(self, folder: Digest, relative: str) -> Digest | None:
        """Digest of a file or sub-folder of a tracked folder, from the folder's listing in the cache."""
        listing = self._objects.listing(folder)
        if listing is None:
            return None
        for entry in listing:
            if entry["relpath"] == relative:
                return Digest(entry["md5"])
        inner = [
            {"md5": e["md5"], "relpath": e["relpath"][len(relative) + 1 :]}
            for e in listing
            if e["relpath"].startswith(relative + "/")
        ]
        return listing_digest(inner) if inner else None
