"""Push: send a plan's recorded outputs, their run-cache entries and their sources to a remote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.core.record import Digest, Record, action_key, same
from trtbuild.core.step import File, Step
from trtbuild.loader.signature import PrivateKey
from trtbuild.remote.attestations import Signer
from trtbuild.remote.presence import presence
from trtbuild.remote.remotes import Remote
from trtbuild.remote.resolve import Resolved, object_file, remote_record, resolve, runs_folder
from trtbuild.remote.seals import SEALED, broken_seal
from trtbuild.remote.transferresult import Entry, TransferResult
from trtbuild.store import Store, tracking
from trtbuild.store.digests import file_md5
from trtbuild.store.runcache import value_hash

Open = Callable[[str], Remote]  # a remote by name
_BUILD_AGAIN = "build it again: trtbuild with the same words"


@dataclass
class _Sent:
    """What happened to each object, by its md5."""

    sizes: dict[str, int] = field(default_factory=dict)  # of those that were sent
    refused: dict[str, str] = field(default_factory=dict)  # why one could not be sent


def push(
    steps: Iterable[Step], store: Store, remote: Remote, other: Open, key: PrivateKey | None = None
) -> TransferResult:
    """Send what the remote lacks of ``steps``, each of which comes after all it reads from.

    A step's run-cache entry is sent after its objects, and only if the remote has no complete entry for the same
    action: the first writer wins.  With a key, the attestation of every step is sent last.

    Raises:
        RemoteError: the remote cannot be used; a rerun goes on with what is still lacking.
    """
    steps, result = tuple(steps), TransferResult()
    resolved = resolve(steps, store, None)
    there = presence({digest.md5 for found in resolved.values() for digest in _outs(found).values()}, remote)
    files: dict[str, Path | None] = {}
    unsealed: dict[str, str] = {}
    for step in steps:
        found = resolved[step.key]
        if found.record is not None and (what := _unsealed(step, found.record, there, store)):
            unsealed[step.key] = what
            continue
        for name, digest in _outs(found).items():
            files[digest.md5] = files.get(digest.md5) or _file(step, name, digest, store)
    sent = _send(files, remote, there)
    notes = _send_entries(
        [found for found in resolved.values() if found.step.key not in unsealed and not _refused(found, sent)],
        store, remote, None if key is None else Signer(key, store, remote),
    )  # fmt: skip
    counted: set[str] = set()
    for step in steps:
        found = resolved[step.key]
        if found.record is None:
            _not_built(found, result)
            continue
        if step.key in unsealed:
            result.fail(step, WorkspaceError(unsealed[step.key], hint=_BUILD_AGAIN))
            continue
        outs = found.record.outs
        if bad := _refused(found, sent):
            what = f"{step.folder}/{bad} {sent.refused[outs[bad].md5]}"
            result.fail(step, WorkspaceError(what, hint=_BUILD_AGAIN))
            continue
        result.notes += notes.get(step.key, ())
        new = {digest.md5 for digest in outs.values()} & set(sent.sizes) - counted
        counted |= new
        size = sum(sent.sizes[md5] for md5 in new)
        result.entries.append(Entry(step, "moved" if new else "here", "", len(new), size))
    _send_sources(steps, store, remote, other, result)
    store.objects.set_damaged_aside()
    store.save_state()
    return result


def send_objects(files: Mapping[str, Path], remote: Remote) -> dict[str, str]:
    """Send objects, by md5, that the remote lacks; a folder's listing after its files.  Returns why one could not be.

    Raises RemoteError: the remote cannot be used.
    """
    listings = {md5: file for md5, file in files.items() if md5.endswith(".dir")}
    plain = {md5: file for md5, file in files.items() if md5 not in listings}
    return _send(plain, remote).refused or _send(listings, remote).refused


def send_result(step: Step, record: Record, digests: Mapping[str, Digest], store: Store, remote: Remote) -> Record:
    """Send a step's recorded outputs from the cache, and then its run-cache entry.

    Raises:
        RemoteError: the remote cannot be used.  WorkspaceError: an output is damaged.
    """
    refused = _send({digest.md5: store.objects.path(digest.md5) for digest in record.outs.values()}, remote).refused
    for why in refused.values():
        raise WorkspaceError(f"an output {why}", where=step.folder, hint=_BUILD_AGAIN)
    _send_entry(Resolved(step, record, digests), record, store, remote)
    return record


def _unsealed(step: Step, record: Record, there: Mapping[str, int | None], store: Store) -> str:
    """What is wrong with the seal of an output that the remote lacks; "" if nothing."""
    sealed = [record.outs[name] for pair in SEALED.items() for name in pair if name in record.outs]
    if all(there[digest.md5] == digest.size is not None for digest in sealed):
        return ""
    return broken_seal(step, record, store)


def _refused(found: Resolved, sent: _Sent) -> str:
    """The first output that could not be sent; "" if there is none."""
    return next((name for name, digest in _outs(found).items() if digest.md5 in sent.refused), "")


def _send_entries(
    resolved: Iterable[Resolved], store: Store, remote: Remote, signer: Signer | None
) -> dict[str, list[str]]:
    """Send run-cache entries and attestations, several at a time; returns the notes by the key of their step."""
    notes: dict[str, list[str]] = {}

    def one(found: Resolved) -> None:
        if found.record is not None:
            said = _send_entry(found, found.record, store, remote)
            signed = signer.attest(found.step, found.record) if signer is not None else ""
            notes[found.step.key] = [note for note in (said, signed) if note]

    remote.each(resolved, one)
    return notes


def _outs(found: Resolved) -> Mapping[str, Digest]:
    return {} if found.record is None else found.record.outs


def _file(step: Step, name: str, digest: Digest, store: Store) -> Path | None:
    """An output's bytes on this machine: in the cache, or in the workspace (metrics come by git)."""
    if store.objects.has(digest):
        return store.objects.path(digest.md5)
    path = f"{step.folder}/{name}"
    return store.root / path if same(store.digest(path), digest) else None


def _send(files: Mapping[str, Path | None], remote: Remote, there: Mapping[str, int | None] | None = None) -> _Sent:
    """Objects, by md5, that the remote lacks, or has at another size (an interrupted upload of some other tool).

    ``there``: their sizes on the remote, if they are known already.
    """
    sent, sizes = _Sent(), presence(files, remote) if there is None else there

    def one(item: tuple[str, Path | None]) -> None:
        md5, file = item
        if file is None:
            if sizes[md5] is None:
                sent.refused[md5] = "is neither here nor on the remote"
            return
        size = file.stat().st_size
        if sizes[md5] == size:
            return
        if file_md5(file) != md5.removesuffix(".dir"):
            sent.refused[md5] = f"is damaged here: {file} is not what its record says (md5)"
            return
        remote.send(file, object_file(md5))
        sent.sizes[md5] = size

    remote.each(files.items(), one)
    return sent


def _not_built(found: Resolved, result: TransferResult) -> None:
    if found.elsewhere or found.blocked:
        result.entries.append(Entry(found.step, "left" if found.elsewhere else "blocked", found.why))
        return
    what = f"{found.step.folder} cannot be pushed: {found.why}"
    result.fail(found.step, WorkspaceError(what, hint="build it first: trtbuild with the same words"))


def _send_entry(found: Resolved, record: Record, store: Store, remote: Remote) -> str:
    """Send the run-cache entry, by which machines without the record find the step; a note if there is another."""
    if found.digests is None or not remote.lists:
        return ""
    entry, key = tracking.lock_entry(record), action_key(found.step, found.digests)
    folder, name = runs_folder(key), value_hash(entry)
    there = remote.files(folder)
    if there[:1] == [name] and remote.read(f"{folder}/{name}") == store.runs.content(key, name):
        return ""  # as nearly always: without reading YAML, which takes a millisecond
    first = remote_record(found.step, found.digests, store, remote) if there else None
    if first is None:
        remote.write(tracking.to_yaml(entry), f"{folder}/{name}")
        return ""
    if all(same(first.outs[name], digest) for name, digest in record.outs.items()):
        return ""
    return (
        f"note   {remote} has another result of {found.step.folder}, and keeps it (first writer wins); "
        "a workspace with the records of this one gets this result"
    )


def _send_sources(steps: Iterable[Step], store: Store, remote: Remote, other: Open, result: TransferResult) -> None:
    """Send source models in ``models.dvc`` to the remote that their entry names, so that others can build again."""
    paths = {source.path for step in steps for source in step.inputs.values() if isinstance(source, File)}
    named = tracking.model_remotes(store.root)
    for tracked in sorted({t for path in paths if (t := store.models.tracked_by(path)) is not None}):
        digest = store.models.digest(tracked)
        present = store.digest(tracked)
        if present is not None and not same(present, digest):
            result.notes.append(f"note   {tracked} was changed and is not pushed: run dvc add {tracked}")
        target = other(named[tracked]) if tracked in named else remote
        here = store.root / tracked if same(present, digest) else None
        sent = _send_source(digest, store, target, here)
        result.sources = (result.sources[0] + len(sent.sizes), result.sources[1] + sum(sent.sizes.values()))
        if sent.refused:
            why = next(iter(sent.refused.values()))
            result.notes.append(
                f"note   {tracked} is not pushed in full: {len(sent.refused)} of its objects, one {why}"
            )


def _send_source(digest: Digest, store: Store, remote: Remote, here: Path | None) -> _Sent:
    """Send a tracked file, or a tracked folder's files and then, once all are there, its listing.

    ``here``: its path in the workspace, if its bytes are the recorded ones.
    """

    def file(md5: str, path: Path | None) -> Path | None:
        return store.objects.path(md5) if store.objects.has(Digest(md5)) else path

    if not digest.md5.endswith(".dir"):
        return _send({digest.md5: file(digest.md5, here)}, remote)
    listing = store.objects.listing(digest)
    sent = _send({e["md5"]: file(e["md5"], here and here / e["relpath"]) for e in listing or ()}, remote)
    if not sent.refused:
        last = _send({digest.md5: file(digest.md5, None)}, remote)
        sent = _Sent({**sent.sizes, **last.sizes}, last.refused)
    return sent
