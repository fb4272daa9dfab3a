"""Programs that die with whoever started them, and with everything that they started in turn.

``lifeline.py FD COMMAND…`` runs a command so.  A supervisor stands between: it is the process that orphans of the
command fall to (PR_SET_CHILD_SUBREAPER), so that none outlives it in a session of its own, and it reads the end of a
pipe, which the kernel closes with the driver, however that dies.  If the supervisor is killed, the command is, too
(PR_SET_PDEATHSIG).  Standard library only, since a training process may start them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def run(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (), timeout_s: float | None = None, merged: bool = False,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """As subprocess.run with captured text and no input; the command dies with this process, and at the limit.

    Args:
        merged: whether stderr goes to stdout.

    Raises:
        FileNotFoundError: there is no such program.  subprocess.TimeoutExpired: with the bytes that it had written.
    """
    # Into files: a pipe ends only when nobody holds it any more, a killed supervisor's orphans included.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process, lifeline = start(
            command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT if merged else err, pass_fds=pass_fds
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired as expired:
            expired.output = _text(out).encode()
            raise
        finally:
            os.close(lifeline)  # if it still runs, it is ended now
            process.wait()
        return subprocess.CompletedProcess(list(command), process.returncode, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def start(
    command: Sequence[str], *, env: Mapping[str, str] | None, pass_fds: Sequence[int] = (), **options: Any
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command without input, in a session of its own, with subprocess.Popen's ``options``.

    Raises FileNotFoundError: there is no such program.

    Returns:
        The supervisor, which ends last, and as the command did; and a descriptor: once it is closed, all of it ends.
    """
    if shutil.which(command[0], path=None if env is None else env.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    watch, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(watch), *command], stdin=subprocess.DEVNULL,
            env=env, pass_fds=[watch, *pass_fds], start_new_session=True, **options,
        )  # fmt: skip
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(watch)
    return process, lifeline


def supervise(watch: int) -> None:
    """Fork: return in the child, in a process group of its own; the parent supervises it, and ends as it did."""
    if _is_readable(watch):  # nobody writes to it: the driver has gone already
        os._exit(1)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if os.getsid(0) != os.getppid():  # the supervisor has died already
            os._exit(1)
        return
    _prctl(_SET_CHILD_SUBREAPER, 1)
    for number in (int(name) for name in os.listdir("/proc/self/fd")):
        if number > 2 and number != watch:  # the end of a channel is the command's to close
            with contextlib.suppress(OSError):
                os.close(number)
    ended = os.pidfd_open(child)
    poll = select.poll()
    for descriptor in (watch, ended):
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    poll.poll()
    if not _is_readable(ended):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_children()
    _end_as(os.waitstatus_to_exitcode(status))


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(0))


def _end_children() -> None:
    """Kill every child, until there is none: those of a killed one become this process's."""
    while True:
        for child in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Not by /proc/self/task/*/children, which not every kernel has."""
    found, here = [], str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[1].decode() == here:
                    found.append(int(name))
    return found


def _end_as(returncode: int) -> None:
    """End with this status, or of this signal (no second core dump)."""
    if returncode < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -returncode)
    os._exit(returncode if returncode >= 0 else 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


if __name__ == "__main__":
    supervise(int(sys.argv[1]))
    os.set_inheritable(int(sys.argv[1]), False)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as failed:
        print(f"{sys.argv[2]}: {failed.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
