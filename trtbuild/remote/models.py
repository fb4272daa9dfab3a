"""Source models that ``models.dvc`` tracks and the workspace lacks: fetched, verified, put in place."""

from __future__ import annotations

from collections.abc import Iterable

from trtbuild.base.errors import RemoteError
from trtbuild.core.record import Digest
from trtbuild.remote.pull import PUSH_AGAIN, fetch
from trtbuild.remote.remotes import TamperedError, open_remote
from trtbuild.store import Store, tracking

_PUSH_IT = "push it from a machine that has it (trtbuild push, or dvc push)"


def bring_models(entries: Iterable[str], store: Store) -> dict[str, RemoteError | None]:
    """Put entries of ``models.dvc`` into the workspace, from the cache where possible; returns each entry's error.

    ``dvc pull`` is not used: it trusts cache, remote and listing, and a listing could name files outside its folder.
    """
    named = tracking.model_remotes(store.root)
    errors: dict[str, RemoteError | None] = {}
    for entry in entries:
        try:
            _bring(entry, store, named.get(entry, ""))
            errors[entry] = None
        except RemoteError as error:
            errors[entry] = error
    store.objects.set_damaged_aside()
    return errors


def _bring(entry: str, store: Store, remote: str) -> None:
    digest = Digest(store.models.digest(entry).md5)  # without its size, which is the folder's
    _fetch(entry, [digest], store, remote)
    if digest.md5.endswith(".dir"):
        listing = store.objects.listing(digest)
        if listing is None:
            raise _tampered(entry)
        _fetch(entry, [Digest(file["md5"]) for file in listing], store, remote)
    store.checkout(digest, entry)


def _fetch(entry: str, digests: list[Digest], store: Store, name: str) -> None:
    lacking = [digest for digest in digests if not store.objects.has(digest)]
    if not lacking:
        return
    try:
        remote = open_remote(store.workspace, name)
        _, refused = fetch(lacking, store, remote)
    except RemoteError as error:
        place = f"{error.where}: " if error.where.startswith("remote ") else ""
        what = f"an incomplete checkout: {entry} is not here, and {place}{error.what}"
        raise RemoteError(what, where=tracking.MODELS_FILE, hint=error.hint or "check the DVC remote") from None
    if any(refusal.tampered for refusal in refused.values()):
        raise _tampered(entry)
    if refused:
        lost = "it" if refused.keys() == {store.models.digest(entry).md5} else f"{len(refused)} of its files"
        what = f"an incomplete checkout: {entry} is not here, and {remote} does not have {lost}"
        raise RemoteError(what, where=tracking.MODELS_FILE, hint=_PUSH_IT)


def _tampered(entry: str) -> TamperedError:
    what = f"{entry} arrived, but is not what the record says (md5)"
    return TamperedError(what, where=tracking.MODELS_FILE, hint=PUSH_AGAIN)
