"""Pull: recorded outputs from a remote into cache and workspace, every byte verified first, nothing built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from trtbuild.base.errors import RemoteError
from trtbuild.core.record import Digest, Record, same
from trtbuild.core.step import File, Step
from trtbuild.loader.signature import PublicKey
from trtbuild.remote.attestations import Verifier
from trtbuild.remote.remotes import Remote, TamperedError
from trtbuild.remote.resolve import Resolved, object_file, resolve
from trtbuild.remote.seals import SEALED, broken_seal
from trtbuild.remote.transferresult import Entry, TransferResult
from trtbuild.remote.twins import describe, twins
from trtbuild.store import Store, tracking
from trtbuild.store.digests import file_md5

PUSH_AGAIN = "it was changed or damaged there: delete it there, and push it again from a machine that has it"
PUSH_IT = "push it from the machine that built it, or build it here"
Open = Callable[[str], Remote]  # a remote by name


class Refusal(NamedTuple):
    """Why an object was not taken: it was ``tampered`` with, or it is not there."""

    tampered: bool

    @property
    def what(self) -> str:
        return "is not what its record says (md5)" if self.tampered else "is not there"

    @property
    def hint(self) -> str:
        return PUSH_AGAIN if self.tampered else PUSH_IT


def pull(
    steps: Iterable[Step], store: Store, remote: Remote, other: Open, key: PublicKey | None = None
) -> TransferResult:
    """Fetch the recorded outputs of ``steps``, each of which comes after all it reads from.

    For steps that measure a device other than this one, the results recorded there are fetched as well.  What the
    workspace or the cache has is not fetched.  A step is put into the workspace only when all of its objects have
    arrived and are what its record says, and, with a key, what an attestation signed with it says.

    Raises:
        RemoteError: the remote cannot be used; what had arrived by then stays, verified, in the cache.
    """
    steps, result = tuple(steps), TransferResult()
    _fetch_listings(steps, store, remote, other, result)
    resolved = resolve(steps, store, remote)
    # Measurements on other devices are worth reading here, but are not part of this machine's build.
    others = twins([found.step for found in resolved.values() if found.elsewhere], store.root)
    resolved = resolve(others, store, remote, resolved)
    others = [step for step in others if resolved[step.key].record is not None]
    wanted = {key: lacking(found.step, found.record, store) for key, found in resolved.items()}
    fetched, refused = fetch((digest for outs in wanted.values() for digest in outs), store, remote)
    counted: set[str] = set()
    verifier = None if key is None else Verifier(key, store, remote)
    accepted: set[str] = set()
    unwanted: set[str] = set()
    for step in (*steps, *others):
        found = resolved[step.key]
        if found.record is None:
            _not_there(found, remote, result)
            continue
        error = refusal(step, found.record, refused, remote) or unsealed(step, found.record, fetched, store, remote)
        if error is None and verifier is not None:
            error = verifier.objection(step, found.record)
        outs = {digest.md5 for digest in found.record.outs.values()}
        if error is not None:
            unwanted |= outs & set(fetched)
            result.fail(step, error)
            continue
        accepted |= outs
        put(step, found.record, found.digests, store)
        new = {digest.md5 for digest in wanted[step.key]} & set(fetched) - counted
        counted |= new
        size = sum(fetched[md5] for md5 in new)
        why = f"measured on {describe(step)}" if step in others else ""
        result.entries.append(Entry(step, "moved" if new else "here", why, len(new), size))
    for md5 in unwanted - accepted if verifier else ():
        store.objects.path(md5).unlink(missing_ok=True)
    store.objects.set_damaged_aside()
    store.save_state()
    return result


def _fetch_listings(steps: Iterable[Step], store: Store, remote: Remote, other: Open, result: TransferResult) -> None:
    """Fetch the listings of tracked folders with sources: they have the digests of files that are not needed here."""
    paths = {source.path for step in steps for source in step.inputs.values() if isinstance(source, File)}
    unknown = {store.models.tracked_by(path) for path in paths if store.input_digest(path) is None} - {None}
    named = tracking.model_remotes(store.root)
    for tracked in sorted(str(path) for path in unknown):
        digest = Digest(store.models.digest(tracked).md5)  # without its size, which is the folder's
        source = other(named[tracked]) if tracked in named else remote
        _, refused = fetch([digest], store, source)
        if digest.md5 in refused:
            result.notes.append(f"{source}: the listing of {tracked} {refused[digest.md5].what}; records stand for it")


def _not_there(found: Resolved, remote: Remote, result: TransferResult) -> None:
    if found.elsewhere or found.blocked:
        result.entries.append(Entry(found.step, "left" if found.elsewhere else "blocked", found.why))
    else:
        result.fail(found.step, RemoteError(f"{found.step.folder}: {found.why}", where=str(remote), hint=PUSH_IT))


def lacking(step: Step, record: Record | None, store: Store) -> list[Digest]:
    """Recorded outputs that are neither in the workspace nor in the cache."""
    outs = {} if record is None else record.outs
    return [
        digest
        for name, digest in outs.items()
        if not same(store.digest(f"{step.folder}/{name}"), digest) and not store.objects.has(digest)
    ]


def fetch(digests: Iterable[Digest], store: Store, remote: Remote) -> tuple[dict[str, int], dict[str, Refusal]]:
    """Fetch objects into the cache, each once and verified; returns the sizes of those that came, and the refusals.

    Raises:
        RemoteError: the remote cannot be used.
    """
    fetched: dict[str, int] = {}
    refused: dict[str, Refusal] = {}
    largest_first = sorted({d.md5: d for d in digests}.values(), key=lambda digest: -(digest.size or 0))
    if not largest_first:
        return fetched, refused
    with store.workspace.scratch("transfer") as folder:

        def one(digest: Digest) -> None:
            file = folder / digest.md5
            if not remote.fetch(object_file(digest.md5), file):
                refused[digest.md5] = Refusal(tampered=False)
            elif file_md5(file) != digest.md5.removesuffix(".dir"):
                refused[digest.md5] = Refusal(tampered=True)
            else:
                size = file.stat().st_size
                store.objects.adopt(file, digest.md5)
                fetched[digest.md5] = size

        remote.each(largest_first, one)
    if refused and not remote.there():
        raise RemoteError("its folder does not exist", where=str(remote), hint="check its url, or mount it")
    return fetched, refused


def refusal(step: Step, record: Record, refused: Mapping[str, Refusal], remote: Remote) -> RemoteError | None:
    """The first output of a step that did not come, by name."""
    for name, digest in record.outs.items():
        if (reason := refused.get(digest.md5)) is not None:
            kind = TamperedError if reason.tampered else RemoteError
            return kind(f"{step.folder}/{name} {reason.what}", where=str(remote), hint=reason.hint)
    return None


def unsealed(
    step: Step, record: Record, fetched: Mapping[str, int], store: Store, remote: Remote
) -> RemoteError | None:
    """The error for a fetched file that does not match its passport, after its removal from the cache."""
    arrived = [record.outs[name] for pair in SEALED.items() for name in pair if name in record.outs]
    arrived = [digest for digest in arrived if digest.md5 in fetched]
    if not arrived or not (what := broken_seal(step, record, store)):
        return None
    for digest in arrived:
        store.objects.path(digest.md5).unlink(missing_ok=True)
    return TamperedError(what, where=str(remote), hint=PUSH_AGAIN)


def put(step: Step, record: Record, digests: Mapping[str, Digest] | None, store: Store) -> None:
    """Put outputs and record into the workspace, and the record into the run cache."""
    store.restore(step, record)
    whole = all(store.objects.has(digest) for digest in record.outs.values())
    if whole and digests is not None and store.runs.remembered(step, digests) is None:
        store.runs.remember(step, digests, record)
