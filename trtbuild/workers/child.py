"""A job in a separate process that answers questions, one line of JSON each, and whose crash is an answer, too.

Standard library only, so that it may run inside a training process.  The job's side is ``Job.questions`` and
``Job.answer``; the process may be any interpreter's, since run.py brings the package along.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtbuild.base.errors import TrtbuildError, error_named
from trtbuild.core.job import Failure, Job, read_result, write_job
from trtbuild.workers import forks
from trtbuild.workers.hermetic import WORKER
from trtbuild.workers.process import Death, full_disk, inherited, readable

GRACE_S = 5.0  # for a process that has closed its end, to end
_CHUNK = 1 << 20


class Child:
    """A running job; to be stopped, or used in a ``with``.  One thread at a time asks it.

    Both :meth:`answer` and :meth:`finish` raise the error that the job itself reports, as one of ours.
    """

    def __init__(
        self, kind: str, params: Mapping[str, object], inputs: Mapping[str, Path] | None = None, *,
        folder: Path | None = None, workspace: Path | None = None, interpreter: Path | None = None,
        environment: Mapping[str, str] | None = None, own_log: bool = True, where: str = "",
    ) -> None:  # fmt: skip
        """Start it.

        Args:
            kind: a step's, or the dotted name of a module of the package with a ``run(job)``.
            folder: where the job lies, and ``out`` with what it makes; by default a temporary one.
            own_log: whether what it prints goes to ``log.txt`` there, or where this process's output goes.
            where: the place of an error that does not say its own.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="trtbuild-child-")) if folder is None else folder.absolute()
        self._temporary = folder is None
        self._kind, self._where = kind, where
        self._rest = bytearray()
        self._stopped = False
        self._own_log = own_log
        self._socket, theirs = socket.socketpair()
        try:
            (self._folder / "out").mkdir(parents=True, exist_ok=True)
            paths = {name: os.path.abspath(path) for name, path in (inputs or {}).items()}
            root = str(self._folder if workspace is None else workspace.absolute())
            write_job(self._folder, Job(kind, {**params, "channel": theirs.fileno()}, paths, "out", root))
            environment = inherited() if environment is None else environment
            log = self._folder / "log.txt" if own_log else None
            command = [str(interpreter or sys.executable), "-s", str(WORKER), str(self._folder)]
            self._process = forks.start(
                command, None if interpreter else forks.parent, self._folder, cwd=self._folder,
                environment=environment, log=log, pass_fds=[theirs.fileno()],
            )  # fmt: skip
        except BaseException:
            self._socket.close()
            self._remove_folder()
            raise
        finally:
            theirs.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def out(self) -> Path:
        return self._folder / "out"

    def ask(self, question: Mapping[str, object], limit_s: float | None = None) -> Any:
        """Send a question, and return the next answer."""
        (self._folder / "stage").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it has died, or reads no more: its answer says so
            self._socket.settimeout(limit_s)
            self._socket.sendall(json.dumps(question).encode() + b"\n")
        return self.answer(limit_s)

    def answer(self, limit_s: float | None = None) -> Any:
        """The next answer, a JSON value; or a :class:`Death`, after which the child is stopped."""
        try:
            line = self._line(limit_s)
        except TimeoutError:
            return self._stop_with(Death.at_limit(limit_s or 0.0, self._folder))
        if line is None:
            return self._ending()
        try:
            return json.loads(line)
        except ValueError:
            said = line[:80].decode("utf-8", "replace")
            return self._stop_with(Death.of_protocol(f"said what is not JSON: {said}", self._folder))

    def finish(self, limit_s: float | None = None) -> Death | None:
        """Ask no more, and wait for the end: None when the job was done."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        if not self._process.wait(limit_s):
            return self._stop_with(Death.at_limit(limit_s or 0.0, self._folder))
        result = read_result(self._folder)
        if result is not None and result.ok:
            self.stop()
            return None
        return self._ending()

    def stop(self) -> None:
        """End it with everything that it started, if it has not ended yet."""
        if not self._stopped:
            self._end_process()
        self._remove_folder()

    def _end_process(self) -> int:
        self._stopped = True
        self._socket.close()
        return self._process.end()

    def _line(self, limit_s: float | None) -> bytes | None:
        """The next line; None when there will be none: its end is closed, or it is gone and another holds that end.

        Raises:
            TimeoutError: nothing came.
        """
        deadline = None if limit_s is None else time.monotonic() + limit_s
        self._socket.settimeout(None)
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            left = None if deadline is None else deadline - time.monotonic()
            ready = readable([self._socket.fileno(), self._process.fileno()], left)
            if not ready:
                raise TimeoutError
            chunk = b""
            with contextlib.suppress(ConnectionResetError):  # it has left questions unread
                chunk = self._socket.recv(_CHUNK) if self._socket.fileno() in ready else b""
            if not chunk:
                return None
            self._rest += chunk
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line

    def _ending(self) -> Death:
        """Why no more answers come; raises what the job reports."""
        ended = self._process.wait(GRACE_S)
        returncode = self._end_process()
        result = read_result(self._folder)
        death = (
            Death.of(returncode, self._folder, log=self._own_log)
            if ended
            else Death.of_protocol("closed its end", self._folder)
        )
        self._remove_folder()
        if result is not None and result.failure is not None:
            raise error_of(result.failure, self._kind, self._where)
        return death

    def _stop_with(self, death: Death) -> Death:
        self.stop()
        return death

    def _remove_folder(self) -> None:
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)


def run_job(
    kind: str, params: Mapping[str, object], inputs: Mapping[str, Path], folder: Path, *, where: str,
    limit_s: float | None = None, workspace: Path | None = None, environment: Mapping[str, str] | None = None,
    own_log: bool = True,
) -> Path:  # fmt: skip
    """Run one job to its end; the folder of what it made.

    Raises:
        TrtbuildError: what it reports.  WorkerDied: it crashed, or took longer than the limit.  PlaceError: likely
            because the disk is full.
    """
    with Child(kind, params, inputs, folder=folder, workspace=workspace, environment=environment,
               own_log=own_log, where=where) as child:  # fmt: skip
        death = child.finish(limit_s)
    if death is not None:
        full = full_disk(folder) if death.cause in ("signal", "status") else None
        raise full or death.error(where)
    return child.out


def error_of(failure: Failure, kind: str, where: str = "") -> TrtbuildError:
    """A worker's failure as one of our errors; another library's exception is a bug, with the end of its traceback."""
    error = error_named(failure.error)
    if error is TrtbuildError and failure.error != "TrtbuildError":
        last = tuple(failure.traceback.strip().splitlines()[-6:])
        return TrtbuildError(f"{failure.error} in {kind}: {failure.what}", where=where, details=last)
    return error(failure.what, where=failure.where or where, hint=failure.hint, details=failure.details)
