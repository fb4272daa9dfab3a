"""What a build fetches from the default remote instead of running steps: recorded outputs, and results by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from trtbuild.base.errors import RemoteError
from trtbuild.core.record import Digest
from trtbuild.core.step import Step
from trtbuild.remote.pull import fetch, lacking, put, refusal, unsealed
from trtbuild.remote.remotes import Remote, TamperedError, answers, open_remote
from trtbuild.remote.resolve import remote_record
from trtbuild.store import Store

_ANSWER_S = 10.0  # a remote only helps a build; one that does not answer by then is not used


class Fetcher:
    """One build's use of the default remote.  One that cannot be used is reported once, and not used again.

    Content that is not what it should be is an error, never a reason to silently build again.
    """

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        self.store, self.note = store, note
        self._remote: Remote | None = None
        self._opened = False
        self.requested: set[str] = set()  # keys of steps whose recorded outputs were requested
        self._refused: dict[str, TamperedError] = {}

    def bring(self, steps: Iterable[Step]) -> None:
        """Fetch the recorded outputs of ``steps`` into the cache, all at once, and each step only once."""
        records = {step: self.store.record(step) for step in steps if step.key not in self.requested}
        self.requested |= {step.key for step in records}
        remote = self._open() if records else None
        if remote is None:
            return
        self.note(f"pull   {len(records)} recorded step{'s' * (len(records) != 1)}")
        wanted = [digest for step, record in records.items() for digest in lacking(step, record, self.store)]
        try:
            fetched, refused = fetch(wanted, self.store, remote)
        except RemoteError as error:
            self._close(error)
            return
        for step, record in records.items():
            if record is not None:
                bad = refusal(step, record, refused, remote) or unsealed(step, record, fetched, self.store, remote)
                if isinstance(bad, TamperedError):
                    self._refused[step.key] = bad

    def check(self, step: Step) -> None:
        """Raise TamperedError if one of the step's fetched outputs was not what its record says."""
        if step.key in self._refused:
            raise self._refused[step.key]

    def result(self, step: Step, digests: Mapping[str, Digest]) -> bool:
        """Put another machine's result of the same action into the workspace; False if the remote has none.

        Raises:
            TamperedError: the result is not what its name, record or passport says.
        """
        remote = self._open()
        if remote is None:
            return False
        try:
            record = remote_record(step, digests, self.store, remote)
            if record is None:
                return False
            fetched, refused = fetch(lacking(step, record, self.store), self.store, remote)
        except TamperedError:
            raise
        except RemoteError as error:
            self._close(error)
            return False
        bad = refusal(step, record, refused, remote) or unsealed(step, record, fetched, self.store, remote)
        if isinstance(bad, TamperedError):
            raise bad
        if bad is not None:  # it disappeared between two requests
            return False
        put(step, record, digests, self.store)
        return True

    def _open(self) -> Remote | None:
        if not self._opened:
            self._opened = True
            name = self.store.workspace.default_remote
            try:
                remote = open_remote(self.store.workspace, name) if name else None
                if remote is not None and answers(remote, _ANSWER_S):  # nobody may have pushed yet
                    self._remote = remote
            except RemoteError as error:
                self._close(error)
        return self._remote

    def _close(self, error: RemoteError) -> None:
        self._remote = None
        self.note(f"note   {error.where}: {error.what}; continuing without it")
