"""One worker process in its own session: how it is started, how it is stopped, and how it died.

Standard library only, so that it may run inside a training process.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from trtbuild.base import lifeline
from trtbuild.base.errors import PlaceError, WorkerDied

Cause = Literal["signal", "killed", "status", "time", "protocol"]
LOG_BYTES = 4000  # of the end of a log
WORDS = 300  # of its last line
# TensorFlow's start-up chatter hides the line that matters; hash order must not reach any output.
# ONNX Runtime 1.31 on Linux sends telemetry, and keeps an identifier and a database for it in ~/.cache/Microsoft.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "",
          "ORT_DISABLE_TELEMETRY": "1"}  # fmt: skip
END_S = 20.0  # for the supervisor to end everything; a process in a system call may take a while to die
_LONGEST_MS = 2**31 - 1  # that poll takes
_FULL_DISK_BYTES = 1 << 20


@dataclass(frozen=True)
class Death:
    """How a worker ended without an answer.

    ``cause``: "killed" is SIGKILL, which the kernel sends where memory ends; "time" and "protocol" (it closed its end,
    or said what is not JSON) are ended from here.  ``stage`` is what the worker was about, ``log`` the end of its log.
    """

    cause: Cause
    how: str
    stage: str = ""
    log: str = ""

    @classmethod
    def of(cls, returncode: int, folder: Path, *, log: bool = True) -> Death:
        """From a return code as subprocess's (negative for a signal), and from what the process left in its folder.

        >>> Death.of(-11, Path("nowhere")).how
        'died of SIGSEGV'
        """
        if returncode >= 0:
            return cls("status", f"ended with status {returncode} and no answer")._with_last_words(folder, log)
        try:
            name = signal.Signals(-returncode).name
        except ValueError:  # real-time signals have no names
            name = f"signal {-returncode}"
        cause: Cause = "killed" if returncode == -signal.SIGKILL else "signal"
        return cls(cause, f"died of {name}")._with_last_words(folder, log)

    @classmethod
    def at_limit(cls, limit_s: float, folder: Path) -> Death:
        return cls("time", f"gave no answer within {limit_s:g} s")._with_last_words(folder)

    @classmethod
    def of_limit(cls, how: str, folder: Path) -> Death:
        """Of a step that was stopped: ``how`` names the limit."""
        return cls("time", how)._with_last_words(folder, log=False)

    @classmethod
    def of_protocol(cls, how: str, folder: Path) -> Death:
        return cls("protocol", how)._with_last_words(folder)

    def _with_last_words(self, folder: Path, log: bool = True) -> Death:
        stage = ""
        with contextlib.suppress(OSError):
            stage = (folder / "stage").read_text("utf-8").strip()
        return replace(self, stage=stage, log=log_end(folder / "log.txt") if log else "")

    @property
    def last_line(self) -> str:
        """The last line of the log that is not a frame of a stack."""
        lines = [line for line in self.log.splitlines() if line.strip() and not line.startswith((" ", "\t"))]
        return lines[-1].strip()[:WORDS] if lines else ""

    def __str__(self) -> str:
        doing = f" while {self.stage}" if self.stage else ""
        said = f": {self.last_line}" if self.last_line else ""
        return f"{self.how}{doing}{said}"

    def error(self, where: str) -> WorkerDied:
        hints = {"killed": "out of memory?", "signal": "the tool below crashed on this model; see the log"}
        return WorkerDied(str(self), where=where, hint=hints.get(self.cause, "see the log"))


class Process:
    """A process that ends, with all that it started, by itself, by :meth:`end`, and when this process dies."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path | None,
        pass_fds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """Start ``command``.

        Args:
            log: the file for both streams; None leaves them where this process's go.
        """
        with contextlib.nullcontext() if log is None else new_log(log) as output:
            self._popen, self._lifeline = lifeline.start(
                command, cwd=cwd, env=dict(environment), stdout=output, pass_fds=pass_fds,
                stderr=None if log is None else subprocess.STDOUT,
            )  # fmt: skip
        try:
            self._pidfd = os.pidfd_open(self._popen.pid)
        except BaseException:
            os.close(self._lifeline)  # which also ends what has started
            raise

    @property
    def pid(self) -> int:
        return self._popen.pid

    def fileno(self) -> int:
        """A descriptor that is readable once the process has ended, for ``select``."""
        return self._pidfd

    def wait(self, limit_s: float | None = None) -> bool:
        """Whether the process has ended within the limit; it is not reaped yet."""
        return bool(readable([self._pidfd], limit_s))

    def end(self) -> int:
        """End it with everything that it started, whatever session that is in (base/lifeline.py).

        Returns:
            The return code; that of a process which had ended on its own is its own.
        """
        os.close(self._lifeline)
        if not self.wait(END_S):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)  # it is not reaped yet: the id is surely ours
        returncode = self._popen.wait()
        os.close(self._pidfd)
        return returncode


def new_log(log: Path) -> IO[bytes]:
    """To append to: a log may be shortened while it is written (limits.py)."""
    log.unlink(missing_ok=True)
    return log.open("ab")


def readable(descriptors: Sequence[int], limit_s: float | None) -> list[int]:
    """Those that can be read, or whose process has ended; [] when the time is over first.

    ``select.select`` takes no descriptor from 1024 on, and a training process may have that many.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    timeout = None if limit_s is None else min(max(0.0, limit_s) * 1000, _LONGEST_MS)
    return [descriptor for descriptor, _ in poll.poll(timeout)]


def inherited(**more: str) -> dict[str, str]:
    """This process's environment for a worker: without what leads its Python astray, and quiet."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | _QUIET | more


def log_end(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def full_disk(folder: Path) -> PlaceError | None:
    """The likely cause of the death of what wrote there, if the disk is full."""
    if shutil.disk_usage(folder).free >= _FULL_DISK_BYTES:
        return None
    hint = "free some space and run again"
    return PlaceError("no space left on the device", where=str(folder.parent), hint=hint)
