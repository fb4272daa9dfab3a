"""Artifacts on disk in DVC's own cache format: find by digest, publish in crash-safe order, check out."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from trtbuild import tracking
from trtbuild.core.record import (
    Digest,
    Record,
    action_key,
    command,
    dep_path,
    params,
    same,
    sorted_sha256,
    without_sizes,
)
from trtbuild.core.step import File, Input, Step
from trtbuild.errors import WorkspaceError
from trtbuild.files import copy_atomic, write_atomic
from trtbuild.workspace import Workspace

_CHUNK = 1 << 20
# A file changed within this time before it was hashed may change again without a new time stamp ("racy git").
_RACY_NS = 50_000_000
_LOCK_WAIT_S = 30.0
_PULL_ALL_BYTES = 64 << 20


class Store:
    """The content-addressed cache, the run cache and the records of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.root = workspace.root
        self._state_file = workspace.private / "state.json"
        self._state = _load_state(self._state_file)
        self._models = tracking.recorded_models(self.root)
        self._records: dict[str, tuple[list[int], Record | None]] = {}

    # --- digests -----------------------------------------------------------------------------------------------

    def digest(self, path: str) -> Digest | None:
        """DVC's digest of a workspace file or folder; None when it is not there."""
        full = self.root / path
        if full.is_dir():
            return self._folder_digest(full)
        try:
            status = full.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Digest(self._file_md5(full, status), status.st_size)

    def input_digest(self, path: str) -> Digest | None:
        """The bytes in the workspace, or, when they are not there, what ``models.dvc`` says they would be."""
        return self.digest(path) or self._recorded_digest(path)

    def tracked_by(self, path: str) -> str | None:
        """The entry of ``models.dvc`` that a path is, or lies in."""
        return next((tracked for tracked in self._models if path == tracked or path.startswith(tracked + "/")), None)

    def pull_target(self, tracked: str) -> str:
        """What to pull for one entry: all of ``models.dvc`` when that is little, the entry alone when it is much.

        To DVC, models.dvc is one stage: ``dvc repro`` and ``dvc status`` want every entry of it to be there.
        """
        total = sum(digest.size or _PULL_ALL_BYTES for digest in self._models.values())
        return tracking.MODELS_FILE if total <= _PULL_ALL_BYTES else tracked

    def absent_models(self) -> list[str]:
        """Entries of ``models.dvc`` that the workspace does not have."""
        return [tracked for tracked in self._models if not (self.root / tracked).exists()]

    def model_digest(self, tracked: str) -> Digest:
        """What ``models.dvc`` says of one of its entries."""
        return self._models[tracked]

    def _recorded_digest(self, path: str) -> Digest | None:
        tracked = self.tracked_by(path)
        if tracked is None or path == tracked:
            return self._models.get(tracked or "")
        return self._inside(self._models[tracked], path[len(tracked) + 1 :])

    def _inside(self, folder: Digest, relative: str) -> Digest | None:
        """Digest of a file or sub-folder of a tracked folder, from the folder's listing in the cache."""
        listing = self.listing(folder)
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
        return _listing_digest(inner) if inner else None

    def listing(self, folder: Digest) -> list[dict[str, str]] | None:
        """``md5`` and ``relpath`` of every file in a tracked folder, when the cache knows."""
        try:
            found: list[dict[str, str]] = json.loads(self.object_path(folder.md5).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found

    def _folder_digest(self, folder: Path) -> Digest:
        listing, size = [], 0
        for parent, folders, names in os.walk(folder, followlinks=True):
            folders[:] = sorted(name for name in folders if not self._ignored(Path(parent, name), "/"))
            for name in names:
                full = Path(parent, name)
                if self._ignored(full):
                    continue
                status = full.stat()
                size += status.st_size
                listing.append({"md5": self._file_md5(full, status), "relpath": full.relative_to(folder).as_posix()})
        digest = _listing_digest(listing)
        return Digest(digest.md5, size, len(listing))

    @cached_property
    def _ignore(self) -> Any:
        return _dvcignore(self.root / ".dvcignore")

    def _ignored(self, path: Path, end: str = "") -> bool:
        """Whether the workspace's .dvcignore leaves a path out, as DVC does (git's grammar)."""
        return self._ignore is not None and self._ignore.match_file(path.relative_to(self.root).as_posix() + end)

    def _file_md5(self, path: Path, status: os.stat_result) -> str:
        signature = _signature(status)
        known = self._state.get(str(path))
        if known and known[:4] == signature:
            return str(known[4])
        md5 = file_md5(path)
        if time.time_ns() - status.st_mtime_ns > _RACY_NS:
            self._state[str(path)] = [*signature, md5]
        return md5

    def save_state(self) -> None:
        """Keep the stat signatures for the next process; losing them costs time, never correctness."""
        with contextlib.suppress(OSError):
            write_atomic(self._state_file, json.dumps(self._state, separators=(",", ":")).encode())

    # --- objects -----------------------------------------------------------------------------------------------

    def object_path(self, md5: str) -> Path:
        return self.workspace.cache / "files" / "md5" / md5[:2] / md5[2:]

    def has(self, digest: Digest) -> bool:
        """Whether the cache holds the object, at its full size (an interrupted copy of another tool may be short)."""
        try:
            size = self.object_path(digest.md5).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return False
        return digest.size in (None, size)

    def adopt(self, file: Path, md5: str = "") -> Digest:
        """Move a finished file into the cache (or drop it when its content is there already).

        ``md5``: its object's name, when the caller has just verified it; folder listings end in ``.dir``.
        """
        digest = Digest(md5 or file_md5(file), file.stat().st_size)
        target = self.object_path(digest.md5)
        if not self.has(digest):
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
            try:
                os.replace(file, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                copy_atomic(file, target)  # a cache shared by a team often lies on another disk
            target.chmod(0o444)
        return digest

    def checkout(self, digest: Digest, path: str) -> None:
        """Put an object into the workspace, as a reflink where possible and a copy elsewhere.

        Not a hard link: root writes through its 0444 mode, and would change the cache in place.
        """
        target = self.root / path
        copy_atomic(self.object_path(digest.md5), target)
        status = target.stat()
        self._state[str(target)] = [*_signature(status), digest.md5]

    # --- records -----------------------------------------------------------------------------------------------

    def record(self, step: Step) -> Record | None:
        """The step's dvc.lock; read again only when its signature has changed."""
        path = self.root / step.folder / tracking.LOCK_FILE
        try:
            signature = _signature(path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return None
        known = self._records.get(step.folder)
        if known is None or known[0] != signature:
            self._records[step.folder] = known = (signature, tracking.read_record(path, step.kind))
        return known[1]

    def _source_digest(self, source: Input) -> Digest | None:
        """A file's own bytes; an upstream output by its step's record, so that it need not be in the workspace."""
        if isinstance(source, File):
            return self.input_digest(source.path)
        record = self.record(source.step)
        return None if record is None else record.outs.get(source.name)

    def input_digests(self, step: Step) -> dict[str, Digest] | None:
        """Digests of all inputs by workspace path; None while one of them does not exist yet."""
        if not step.inputs:
            content = tracking.params_yaml(step)
            return {f"{step.folder}/params.yaml": Digest(hashlib.md5(content).hexdigest(), len(content))}
        digests = {source.path: self._source_digest(source) for source in step.inputs.values()}
        found = {path: digest for path, digest in digests.items() if digest is not None}
        return found if len(found) == len(digests) else None

    def remembered(self, step: Step, digests: Mapping[str, Digest]) -> Record | None:
        """The run cache's record of this very action, when all its objects are in the cache (else it is a miss)."""
        folder = self._runs(action_key(step, digests))
        for path in _oldest_first(folder):  # the first writer wins
            try:
                record = entry_of(step, path.read_bytes())
            except (OSError, WorkspaceError):
                continue
            if record is not None and all(self.has(digest) for digest in record.outs.values()):
                return record
        return None

    def _runs(self, key: str) -> Path:
        return self.workspace.cache / "runs" / key[:2] / key

    def publish(self, step: Step, digests: Mapping[str, Digest], made: Path) -> Record:
        """Take a finished step's files from ``made`` and record them: objects, run cache, outputs, dvc.lock last."""
        # First writer wins: another process may have finished the same action meanwhile.
        record = self.remembered(step, digests)
        if record is None:
            outs = {out.name: self.adopt(made / out.name) for out in step.outs}
            deps = {dep_path(step, path): digest for path, digest in digests.items()}
            record = Record(command(step), deps, params(step), outs)
            self.remember(step, digests, record)
        self.restore(step, record)
        return record

    def remember(self, step: Step, digests: Mapping[str, Digest], record: Record) -> None:
        """Write the run-cache entry of an action; its objects are in the cache already."""
        entry = tracking.lock_entry(record)
        write_atomic(self._runs(action_key(step, digests)) / value_hash(entry), tracking.to_yaml(entry))

    def restore(self, step: Step, record: Record) -> None:
        """Put a record's outputs into the step's folder, its dvc.lock last."""
        folder = self.root / step.folder
        with self._dvc_lock():
            for name, digest in record.outs.items():
                if not same(self.digest(f"{step.folder}/{name}"), digest):
                    self.checkout(digest, f"{step.folder}/{name}")
            write_changed(folder / tracking.STAGE_FILE, tracking.stage_yaml(step))
            write_changed(folder / "params.yaml", tracking.params_yaml(step))
            write_changed(folder / tracking.LOCK_FILE, tracking.lock_yaml(step.kind, record))

    @contextlib.contextmanager
    def _dvc_lock(self) -> Iterator[None]:
        """DVC's own repository lock, so that a plain dvc command beside us waits instead of reading half a step."""
        import fcntl

        path = self.workspace.dvc / "tmp" / "lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as handle:
            deadline = time.monotonic() + _LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                    if time.monotonic() > deadline:
                        hint = "let that command end, or stop it"
                        raise WorkspaceError("a dvc command holds the lock", where=str(path), hint=hint) from None
                    time.sleep(0.05)
            yield


@contextlib.contextmanager
def scratch(store: Store) -> Iterator[Path]:
    """A folder for files on their way in or out; a build sweeps it away when its process is gone."""
    store.workspace.prepare()
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}.transfer.", dir=store.workspace.work))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _signature(status: os.stat_result) -> list[int]:
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]


def file_md5(path: Path) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            md5.update(chunk)
    return md5.hexdigest()


def _oldest_first(folder: Path) -> list[Path]:
    """Entries of a run-cache folder; temporary files of other writers come and go meanwhile."""
    dated = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):
                dated.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(dated)]


def write_changed(path: Path, content: bytes) -> None:
    """Write only when it differs, so that time stamps tell the truth."""
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)


def _listing_digest(listing: list[dict[str, str]]) -> Digest:
    """DVC's digest of a folder: md5 of its sorted listing as JSON (dvc_data/hashfile/tree.py), ``.dir`` appended."""
    content = json.dumps(sorted(listing, key=lambda e: e["relpath"]), sort_keys=True).encode()
    return Digest(hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir", None, len(listing))


def value_hash(entry: Mapping[str, object]) -> str:
    """Name of a run-cache entry: sha256 of the lock entry without sizes and file counts."""
    return sorted_sha256(without_sizes(entry))


def entry_of(step: Step, content: bytes) -> Record | None:
    """The record in a run-cache entry's bytes; None when it is no entry of this step.

    Raises:
        WorkspaceError: it is not YAML.
    """
    try:
        record = tracking.record_of(tracking.parse_yaml(content, "run cache"))
    except (KeyError, TypeError, AttributeError):
        return None
    return record if set(record.outs) == {out.name for out in step.outs} else None


def _dvcignore(path: Path) -> Any:
    """The patterns of a .dvcignore, or None when there are none."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(lines)


def _load_state(path: Path) -> dict[str, list[object]]:
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
