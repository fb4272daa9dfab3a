"""What ``models.dvc`` says about source files: digests of those not in the workspace, and what to bring."""

from __future__ import annotations

from pathlib import Path

from trtbuild.core.record import Digest
from trtbuild.store import tracking
from trtbuild.store.digests import listing_digest
from trtbuild.store.objects import Objects

_BRING_ALL_BYTES = 64 << 20


class TrackedModels:
    """The entries of one workspace's ``models.dvc``, as first read."""

    def __init__(self, root: Path, objects: Objects) -> None:
        self._root, self._objects = root, objects
        self._entries = tracking.recorded_models(root)

    def tracked_by(self, path: str) -> str | None:
        """The entry that a path is, or is inside of."""
        return next((entry for entry in self._entries if path == entry or path.startswith(entry + "/")), None)

    def brought_with(self, tracked: str) -> list[str]:
        """What to bring with one entry: if ``models.dvc`` is small in total, all other missing entries as well.

        To DVC, models.dvc is one stage: ``dvc repro`` and ``dvc status`` need every entry of it.
        """
        total = sum(digest.size or _BRING_ALL_BYTES for digest in self._entries.values())
        others = self._entries if total <= _BRING_ALL_BYTES else ()
        return [tracked, *(one for one in others if one != tracked and not (self._root / one).exists())]

    def digest(self, tracked: str) -> Digest:
        """The digest of an entry."""
        return self._entries[tracked]

    def recorded(self, path: str) -> Digest | None:
        """The digest of an entry, or of a path inside one; None if neither ``models.dvc`` nor the cache has it."""
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
