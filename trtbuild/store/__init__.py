"""Artifacts of one workspace in DVC's own formats: read records, publish in crash-safe order, check out."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from trtbuild.base.files import inside, write_atomic
from trtbuild.base.thread import Beside
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import Digest, Record, new_record, same
from trtbuild.core.step import File, Input, Step
from trtbuild.store import tracking
from trtbuild.store.digests import Digests
from trtbuild.store.dvclock import repository_lock
from trtbuild.store.objects import DamagedObject, Objects
from trtbuild.store.records import Records
from trtbuild.store.runcache import RunCache
from trtbuild.store.trackedmodels import TrackedModels

RecordOf = Callable[[Step], Record | None]


def print_note(line: str) -> None:
    print(line, file=sys.stderr)


class Store:
    """The records of one workspace, over its cache's ``objects`` and ``runs`` and its tracked ``models``."""

    def __init__(self, workspace: Workspace, note: Callable[[str], None] = print_note) -> None:
        self.workspace = workspace
        self.root = workspace.root
        self.note = note  # reports damaged records and objects; a build shows them among its own lines
        self._digests = Digests(self.root, workspace.private / "state.json")
        self.beside = Beside()
        self.objects = Objects(workspace, self._digests, self._say, self._sync_beside)
        self.runs = RunCache(workspace, self.objects)
        self.models = TrackedModels(self.root, self.objects)
        self._records = Records(self.root, workspace.private / "records.json", self._say)
        self._noted: set[str] = set()

    def sync(self) -> None:
        """Wait until what was recorded will outlive a power failure, and for anything else that is done beside."""
        self.beside.finish()

    def _sync_beside(self, path: Path) -> None:
        self.beside.call(_sync, path)

    def _say(self, line: str) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self.note(line)

    def digest(self, path: str) -> Digest | None:
        """DVC's digest of a workspace file or folder; None if it is missing."""
        return self._digests.of(path)

    def listing(self, path: str) -> list[dict[str, str]]:
        """``md5`` and ``relpath`` of every file of a workspace folder."""
        return self._digests.listing(path)

    def input_digest(self, path: str) -> Digest | None:
        """The digest of a workspace file, or, if it is missing, the one recorded in ``models.dvc``."""
        return self.digest(path) or self.models.recorded(path)

    def save_state(self) -> None:
        """Sync, and keep digests and records for the next process, once a build has made the private folder."""
        self.sync()
        if self.workspace.private.is_dir():
            self._digests.save()
            self._records.save()

    def record(self, step: Step) -> Record | None:
        """The step's dvc.lock, if it has a readable one."""
        return self._records.of(step)

    def _source_digest(self, source: Input, recorded: RecordOf) -> Digest | None:
        """The digest of a file, or of an upstream output by its step's record: it need not be in the workspace."""
        if isinstance(source, File):
            return self.input_digest(source.path)
        record = recorded(source.step)
        return None if record is None else record.outs.get(source.name)

    def input_digests(self, step: Step, recorded: RecordOf | None = None) -> dict[str, Digest] | None:
        """Digests of all inputs by workspace path; None while one of them is missing.

        ``recorded``: the record of a step, if it need not be looked for anew.
        """
        if not step.inputs:
            content = tracking.params_yaml(step)
            return {f"{step.folder}/params.yaml": Digest(hashlib.md5(content).hexdigest(), len(content))}
        digests = {source.path: self._source_digest(source, recorded or self.record) for source in step.inputs.values()}
        found = {path: digest for path, digest in digests.items() if digest is not None}
        return found if len(found) == len(digests) else None

    def publish(self, step: Step, digests: Mapping[str, Digest], made: Path) -> Record:
        """Take a finished step's files from ``made`` and record them: objects, run cache, outputs, dvc.lock last."""
        record = self.take(step, digests, made)
        self.restore(step, record)
        return record

    def take(self, step: Step, digests: Mapping[str, Digest], made: Path) -> Record:
        """Take a finished step's files from ``made`` into the cache, and its record into the run cache."""
        # The first writer wins: another process may have finished the same action in the meantime.
        record = self.runs.remembered(step, digests)
        if record is None:
            record = new_record(step, digests, {out.name: self.objects.adopt(made / out.name) for out in step.outs})
            self.runs.remember(step, digests, record)
        return record

    def restore(self, step: Step, record: Record) -> None:
        """Put a record's outputs into the step's folder, its dvc.lock last."""
        folder = self.workspace.inside(step.folder, where=step.folder)
        with repository_lock(self.workspace.dvc):
            for name, digest in record.outs.items():
                if not same(self.digest(f"{step.folder}/{name}"), digest):
                    # Not synced: what a power failure takes is not what the record says, and is put back.
                    self.checkout(digest, f"{step.folder}/{name}", synced=False)
            _write_changed(folder / tracking.STAGE_FILE, tracking.stage_yaml(step))
            _write_changed(folder / "params.yaml", tracking.params_yaml(step))
            _write_changed(folder / tracking.LOCK_FILE, tracking.lock_yaml(step.kind, record))
            self._sync_beside(folder / tracking.LOCK_FILE)
            self._records.remember(step, record)

    def checkout(self, digest: Digest, path: str, *, synced: bool = True) -> None:
        """Put an object into the workspace at the path of a record, as a reflink where possible and a copy elsewhere.

        Not a hard link: root writes through its 0444 mode, and would change the cache in place.

        Raises:
            DamagedObject: its bytes are not the object's; nothing is put there.
            ConfigError: a link on its way leads out of the workspace, or of the tracked folder.
        """
        target = self.workspace.inside(path, where=path, replaced=True)
        if digest.md5.endswith(".dir"):
            self._checkout_folder(digest, target)
            return
        self.objects.copy_out(digest, target, synced=synced)
        self._digests.remember(target, digest.md5)

    def _checkout_folder(self, digest: Digest, target: Path) -> None:
        """Check out a tracked folder: a new one appears whole, by a rename; an existing one is completed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        try:
            into = target if target.exists() else made
            listing = self.objects.listing(digest)
            if listing is None:
                raise DamagedObject("the listing of a tracked folder is not in the cache", where=str(target))
            for file in listing:
                place = inside(into, file["relpath"], where=str(target), replaced=True)
                if not place.exists():
                    self.objects.copy_out(Digest(file["md5"]), place)
            if into is made:
                made.chmod(0o755)  # mkdtemp makes 0700
                made.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not target.is_dir():
                raise
            self._checkout_folder(digest, target)  # another process has put it there in the meantime
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _sync(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as written:
        os.fsync(written.fileno())


def _write_changed(path: Path, content: bytes) -> None:
    """Write only if the content differs, so that time stamps stay meaningful."""
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content, synced=False)
