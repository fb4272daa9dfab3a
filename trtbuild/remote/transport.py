"""How inputs reach a worker and results come back: through a cache that both see, or a DVC remote; never in messages.

Objects are found by their md5 and verified wherever they arrive; a result counts once its run-cache entry is there.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trtbuild.base.errors import RemoteError, WorkspaceError
from trtbuild.base.files import inside, write_atomic
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import Digest, Record, new_record, sorted_sha256
from trtbuild.core.step import Step
from trtbuild.remote.pull import fetch, lacking, refusal, unsealed
from trtbuild.remote.push import send_objects, send_result
from trtbuild.remote.remotes import Remote, TamperedError, open_remote
from trtbuild.remote.resolve import remote_record
from trtbuild.store import Store
from trtbuild.store.digests import listing_bytes

CACHE = "cache"  # the name of the transport that is not a remote
_MARK = "shared-id"  # a file of the cache, by which a worker knows that it sees the same one
_SHARE_IT = "share that folder with the workers (dvc cache dir), or name a DVC remote: executor.transport=NAME"


@dataclass(frozen=True)
class Transport:
    """Either a ``remote``, with its ``settings`` in DVC's config, or a ``cache`` folder with a ``mark`` in it."""

    remote: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    cache: str = ""
    mark: str = ""

    @property
    def identity(self) -> str:
        """Equal for two users exactly if each can read what comes for the other."""
        return sorted_sha256([self.mark] if self.cache else [list(pair) for pair in self.settings])[:16]

    def __str__(self) -> str:
        return f"the cache {self.cache}" if self.cache else f"remote '{self.remote}'"


def through_cache(workspace: Workspace) -> Transport:
    mark = workspace.cache / _MARK
    if not mark.exists():
        write_atomic(mark, secrets.token_hex(16).encode())
    return Transport(cache=str(workspace.cache), mark=mark.read_text("ascii"))


def through_remote(workspace: Workspace, name: str) -> Transport:
    """Its url, and what .dvc/config says about it; what other config files say (passwords) stays on this machine.

    Raises:
        RemoteError: it is not configured, or is a folder of this workspace.
    """
    from dvc.config import Config

    open_remote(workspace, name)
    shared = Config.load_file(str(workspace.dvc / "config")).get("remote", {}).get(name, {})
    merged = Config(str(workspace.dvc))["remote"][name]
    settings = {key: str(merged[key]) for key in {"url", *shared} if key in merged}
    return Transport(name, tuple(sorted(settings.items())))


@dataclass
class Depot:
    """One end of a transport: a store, whose cache objects arrive in, and the remote if there is one."""

    store: Store
    remote: Remote | None
    _sent: set[str] = field(default_factory=set)  # objects that the remote has

    @classmethod
    def of_driver(cls, transport: Transport, store: Store) -> Depot:
        return cls(store, open_remote(store.workspace, transport.remote) if transport.remote else None)

    @classmethod
    def of_worker(cls, transport: Transport, folder: Path) -> Depot:
        """In a folder of the worker's own.

        Raises:
            WorkspaceError: this machine does not see the driver's cache.  RemoteError: the remote cannot be opened.
        """
        workspace = Workspace(folder / transport.identity)
        if transport.cache:
            seen = ""
            with contextlib.suppress(OSError):
                seen = Path(transport.cache, _MARK).read_text("ascii")
            if seen != transport.mark:
                raise WorkspaceError("a worker does not see this cache", where=transport.cache, hint=_SHARE_IT)
            write_atomic(workspace.dvc / "config", f"[cache]\n    dir = {transport.cache}\n".encode())
            return cls(Store(workspace), None)
        from dvc.config import Config

        workspace.dvc.mkdir(parents=True, exist_ok=True)
        with Config(str(workspace.dvc)).edit("repo") as config:
            config["remote"] = {transport.remote: dict(transport.settings)}
        return cls(Store(workspace), open_remote(workspace, transport.remote))

    def offer(self, step: Step, digests: Mapping[str, Digest]) -> None:
        """Put a step's inputs where its worker finds them."""
        files: dict[str, Path] = {}
        with self.store.workspace.scratch("offer") as scratch:
            for path, digest in digests.items():
                if step.inputs:
                    files |= self._files(path, digest, scratch)
            if self.remote is None:
                for md5, file in files.items():
                    if not self.store.objects.has(Digest(md5)):
                        copy = shutil.copyfile(file, scratch / "copy")
                        self.store.objects.adopt(copy, md5 if md5.endswith(".dir") else "")
                return
            new = {md5: file for md5, file in files.items() if md5 not in self._sent}
            refused = send_objects(new, self.remote)
            for why in refused.values():
                raise WorkspaceError(f"an input {why}", where=step.folder)
            self._sent |= set(new)

    def _files(self, path: str, digest: Digest, scratch: Path) -> dict[str, Path]:
        """The objects of an input and where their bytes are here; of a folder its files first, its listing last."""
        objects = self.store.objects

        def place(md5: str, file: Path) -> Path:
            return objects.path(md5) if objects.has(Digest(md5)) else file

        if not digest.md5.endswith(".dir"):
            return {digest.md5: place(digest.md5, self.store.root / path)}
        listing = self.store.listing(path)
        whole = scratch / digest.md5
        whole.write_bytes(listing_bytes(listing))
        files = {file["md5"]: place(file["md5"], self.store.root / path / file["relpath"]) for file in listing}
        return {**files, digest.md5: whole}

    def find(self, step: Step, digests: Mapping[str, Digest]) -> Record | None:
        """The record of this very action, if somebody has made it."""
        if self.remote is None:
            return self.store.runs.remembered(step, digests)
        return remote_record(step, digests, self.store, self.remote)

    def bring(self, digests: Mapping[str, Digest], root: Path) -> None:
        """Put inputs at their paths below ``root``, every byte verified.

        Raises:
            RemoteError: one of them is not where it should be, or not what its name says.
        """
        self._fetch(digests.values())
        listings = {path: self.store.objects.listing(d) for path, d in digests.items() if d.md5.endswith(".dir")}
        self._fetch(Digest(file["md5"]) for listing in listings.values() for file in listing or ())
        for path, digest in digests.items():
            if path not in listings:
                self.store.objects.copy_out(digest, inside(root, path, where=path))
            for file in listings.get(path) or ():
                target = inside(root / path, file["relpath"], where=path)
                self.store.objects.copy_out(Digest(file["md5"]), target)

    def _fetch(self, digests: Iterable[Digest]) -> None:
        absent = [digest for digest in digests if not self.store.objects.has(digest)]
        if not absent:
            return
        if self.remote is None:
            raise RemoteError(f"{absent[0].md5} is not there", where=str(self.store.workspace.cache))
        _, refused = fetch(absent, self.store, self.remote)
        for md5, reason in refused.items():
            kind = TamperedError if reason.tampered else RemoteError
            raise kind(f"the object {md5} of an input {reason.what}", where=str(self.remote), hint=reason.hint)

    def publish(self, step: Step, digests: Mapping[str, Digest], made: Path) -> Record:
        """Record a finished step's files; the first writer wins, so another's record of this action is kept."""
        if self.remote is not None and (known := self.find(step, digests)) is not None:
            return known
        record = self.store.take(step, digests, made)
        self.store.sync()
        return record if self.remote is None else send_result(step, record, digests, self.store, self.remote)

    def receive(self, step: Step, digests: Mapping[str, Digest], outs: Mapping[str, Digest]) -> None:
        """Bring what a worker has recorded into the driver's cache and run cache.

        Raises:
            RemoteError: an output is not there, or is not what the worker's record says.
        """
        record = new_record(step, digests, outs)
        if self.remote is not None:
            fetched, refused = fetch(lacking(step, record, self.store), self.store, self.remote)
            bad = refusal(step, record, refused, self.remote)
            if bad := bad or unsealed(step, record, fetched, self.store, self.remote):
                raise bad
            self._sent |= {digest.md5 for digest in outs.values()}
            if self.store.runs.remembered(step, digests) is None:
                self.store.runs.remember(step, digests, record)
        if self.store.runs.remembered(step, digests) is None:
            what = "a worker has recorded this step, but its outputs are not in the cache"
            raise RemoteError(what, where=step.folder, hint="is it the same folder on both machines?")
