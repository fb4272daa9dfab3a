"""Which record holds for each step of a plan, without building: dvc.lock, else the run cache here, else a remote's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trtbuild.base.errors import WorkspaceError
from trtbuild.core.explain import Observation, judge
from trtbuild.core.record import Digest, Record, action_key
from trtbuild.core.step import File, Step
from trtbuild.remote.remotes import Remote, TamperedError
from trtbuild.store import Store, tracking
from trtbuild.store.runcache import entry_of, value_hash


@dataclass(frozen=True)
class Resolved:
    """``record`` is None if nobody has built the step, as far as is known here; ``why`` is the reason.

    ``elsewhere``: that is expected, since the step, or one that it reads, measures another device.
    ``blocked``: the only reason is that a step that it reads has no record.
    """

    step: Step
    record: Record | None
    digests: Mapping[str, Digest] | None = None  # of the inputs; None if one is unknown
    why: str = ""
    elsewhere: bool = False
    blocked: bool = False


def object_file(md5: str) -> str:
    """Where a remote keeps an object, relative to its root (DVC 3)."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def runs_folder(key: str) -> str:
    """Where a remote keeps the run-cache entries of an action."""
    return f"runs/{key[:2]}/{key}"


def resolve(
    steps: Iterable[Step], store: Store, remote: Remote | None, known: Mapping[str, Resolved] | None = None
) -> dict[str, Resolved]:
    """Resolve ``steps``, by key; each comes after all it reads from, unless ``known`` has that.

    Raises:
        RemoteError: the remote cannot be used; as TamperedError, one of its entries is not what its name says.
    """
    found: dict[str, Resolved] = dict(known or {})
    for step in steps:
        found[step.key] = _resolve(step, found, store, remote)
    return found


def _resolve(step: Step, found: Mapping[str, Resolved], store: Store, remote: Remote | None) -> Resolved:
    lost = next((found[up.key] for up in step.upstream if found[up.key].record is None), None)
    digests = _digests(step, found, store) if lost is None else None
    record, why = store.record(step), "never built here"
    if record is not None:
        # An input that is not here cannot contradict the record, which git vouches for.
        judgement = judge(step, Observation(record, digests, record.outs, frozenset(), unpulled="an input"))
        if judgement.state in ("fresh", "remote"):
            return Resolved(step, record, digests)
        why = judgement.why
    if lost is not None:
        why = f"it reads {lost.step.kind}, which is not there"
        return Resolved(step, None, None, why, elsewhere=lost.elsewhere, blocked=not lost.elsewhere)
    if digests is None:
        return Resolved(step, None, why=f"{why}, and its inputs are not known here: dvc pull {tracking.MODELS_FILE}")
    remembered = store.runs.remembered(step, digests)
    if remembered is None and remote is not None:
        remembered = remote_record(step, digests, store, remote)
    if remembered is not None:
        return Resolved(step, remembered, digests)
    if step.params.get("device"):
        why = "it measures the device it runs on, and none was measured that is this one"
        return Resolved(step, None, digests, why, elsewhere=True)
    return Resolved(step, None, digests, f"{why}, and not in the {'remote' if remote else 'local'} run cache")


def _digests(step: Step, found: Mapping[str, Resolved], store: Store) -> Mapping[str, Digest] | None:
    """Digests of the inputs; those of upstream outputs are the resolved records', which may not be on disk yet."""
    if not step.inputs:
        return store.input_digests(step)
    digests: dict[str, Digest] = {}
    for source in step.inputs.values():
        if isinstance(source, File):
            digest = store.input_digest(source.path)
        else:
            record = found[source.step.key].record
            digest = None if record is None else record.outs.get(source.name)
        if digest is None:
            return None
        digests[source.path] = digest
    return digests


def remote_record(step: Step, digests: Mapping[str, Digest], store: Store, remote: Remote) -> Record | None:
    """The oldest entry of this very action on the remote whose objects all exist (first writer wins).

    Raises:
        TamperedError: an entry's content is not what its name and key say, so somebody has changed it.
    """
    folder = runs_folder(action_key(step, digests))
    for name in remote.files(folder):
        record = _checked(step, digests, remote.read(f"{folder}/{name}"), name, remote)
        if record is not None and whole(record, store, remote):
            return record
    return None


def _checked(step: Step, digests: Mapping[str, Digest], content: bytes, name: str, remote: Remote) -> Record | None:
    """An entry's record; its name is its own digest, and its folder the digest of its inputs."""
    try:
        entry = tracking.parse_yaml(content, name)
        record, genuine = entry_of(step, entry), value_hash(entry) == name
    except (WorkspaceError, TypeError):
        record, genuine = None, False
    if not genuine:
        what = f"the run-cache entry {name[:16]}… of {step.folder} is not what its name says"
        raise TamperedError(what, where=str(remote), hint="it was changed or damaged there: delete it, and push again")
    ours = record is not None and judge(step, Observation(record, digests, record.outs, frozenset())).state == "fresh"
    return record if ours else None


def whole(record: Record, store: Store, remote: Remote) -> bool:
    """Whether every output is in the cache or on the remote: an entry that dangles (``dvc gc``) is a miss."""
    return all(
        store.objects.has(digest) or remote.size(object_file(digest.md5)) is not None for digest in record.outs.values()
    )
