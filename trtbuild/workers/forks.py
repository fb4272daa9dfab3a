"""Asking the process that has imported TensorFlow (zygote.py) to fork a job, in place of starting an interpreter.

Standard library only, so that it may run inside a training process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path

from trtbuild.workers import hermetic
from trtbuild.workers.process import END_S, Process, inherited, new_log, readable

READY = b"ready"
MEMORY_BYTES = 300_000_000  # measured: 237 MB of its own, with TensorFlow 2.21
_OF_EACH = ("TMPDIR",)  # a job has its own (run.py)


class Fork:
    """A forked job, with its supervisor, as :class:`Process` is one that was started."""

    def __init__(self, lifeline: socket.socket, status: int) -> None:
        self._lifeline, self._status = lifeline, status
        self._pid = 0
        self.lost = False  # whether it has ended, and nobody could tell how

    @property
    def pid(self) -> int:
        """Its supervisor's, as of a :class:`Process`; 0 until it has been forked."""
        if not self._pid:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._pid = int(self._lifeline.recv(20, socket.MSG_DONTWAIT) or 0)
        return self._pid

    def fileno(self) -> int:
        """A descriptor that is readable once it has ended."""
        return self._status

    def wait(self, limit_s: float | None = None) -> bool:
        return bool(readable([self._status], limit_s))

    def end(self) -> int:
        """End it with all that it started; the return code, -SIGKILL where nobody could tell it."""
        pid = self.pid
        self._lifeline.close()
        if not self.wait(END_S if pid else 0) and pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # it has not ended, so the id is its own
        said = b"".join(iter(lambda: os.read(self._status, 20), b"")) if self.wait(0) else b""
        os.close(self._status)
        self.lost = not said
        return int(said or -signal.SIGKILL)


class Zygote:
    """The way to that process; its jobs have the environment that it was started with."""

    def __init__(
        self, requests: socket.socket, environment: Mapping[str, str], process: Process | None = None
    ) -> None:
        self._requests, self._environment, self._process = requests, _shared(environment), process
        self._ready = process is None

    @classmethod
    def start(cls) -> Zygote:
        """Start it; it imports for some seconds, while requests may already be sent.

        Raises:
            OSError: it cannot be started.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            command = [sys.executable, "-s", str(hermetic.WORKER), str(theirs.fileno()), "zygote"]
            environment = inherited()
            process = Process(command, cwd=Path("/"), environment=environment, log=None, pass_fds=[theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(ours, environment, process)

    def ready(self) -> bool:
        """Whether it would fork at once."""
        if not self._ready:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._ready = bool(self._requests.recv(len(READY), socket.MSG_DONTWAIT))
        return self._ready

    def fork(
        self, folder: Path, *, cwd: Path, environment: Mapping[str, str], log: Path | None,
        pass_fds: Sequence[int] = (),
    ) -> Fork | None:  # fmt: skip
        """Have a job forked, as :class:`Process` would start it with run.py.

        Returns:
            None where it has to be started: for another environment, which libraries read as they are imported, or
            because that process is gone.
        """
        if _shared(environment) != self._environment:
            return None
        lifeline, watch = socket.socketpair()
        told, status = os.pipe()
        try:
            with contextlib.nullcontext() if log is None else new_log(log) as output:
                streams = [1, 2] if output is None else [output.fileno()] * 2
                message = json.dumps({"folder": str(folder), "cwd": str(cwd), "numbers": [1, 2, *pass_fds]}).encode()
                socket.send_fds(self._requests, [message], [watch.fileno(), status, *streams, *pass_fds])
        except OSError:
            lifeline.close()
            os.close(told)
            return None
        finally:
            watch.close()
            os.close(status)
        return Fork(lifeline, told)

    def end(self) -> None:
        """End it, and with it all that it forked."""
        self._requests.close()
        if self._process is not None:
            self._process.end()


class Nursery:
    """The zygote of this process, started when it is first needed; for one executor, or several in threads."""

    def __init__(self) -> None:
        self.zygote: Zygote | None = None
        self._tried, self._lock = False, threading.Lock()

    def start(self) -> None:
        """Start it, once."""
        with self._lock:
            if not self._tried:
                self._tried = True
                with contextlib.suppress(OSError):
                    self.zygote = Zygote.start()

    def end(self) -> None:
        """End it; it can be started again."""
        zygote, self.zygote, self._tried = self.zygote, None, False
        if zygote is not None:
            zygote.end()


_shared_nursery: ContextVar[Nursery | None] = ContextVar("_shared_nursery", default=None)


@contextlib.contextmanager
def one_nursery() -> Iterator[Nursery]:
    """One for every build within, ended after the last of them."""
    if (outer := _shared_nursery.get()) is not None:
        yield outer
        return
    nursery = Nursery()
    token = _shared_nursery.set(nursery)
    try:
        yield nursery
    finally:
        _shared_nursery.reset(token)
        nursery.end()


def shared_nursery() -> Nursery | None:
    """That of the command around this build, if there is one."""
    return _shared_nursery.get()


def _shared(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _OF_EACH}


parent: Zygote | None = None  # the one that has forked this process


def start(
    command: Sequence[str], zygote: Zygote | None, folder: Path, *, cwd: Path, environment: Mapping[str, str],
    log: Path | None, pass_fds: Sequence[int] = (),
) -> Process | Fork:  # fmt: skip
    """Run the job in ``folder``: in a fork where a zygote is given and can, else by run.py's command."""
    fork = zygote and zygote.fork(folder, cwd=cwd, environment=environment, log=log, pass_fds=pass_fds)
    return fork or Process(command, cwd=cwd, environment=environment, log=log, pass_fds=pass_fds)
