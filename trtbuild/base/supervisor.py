"""The process between a program and its starter, so that neither outlives the other: ``supervisor.py FD COMMAND…``.

It is the process that orphans of the program fall to (PR_SET_CHILD_SUBREAPER), so that none outlives it in a session
of its own, and it reads the end of a pipe (or socket), which the kernel closes with the starter, however that dies.  If
the supervisor is killed, the program is, too (PR_SET_PDEATHSIG).

Every step and every tool waits for this file to be imported, so it imports next to nothing.
"""

# ruff: noqa: SIM105  # contextlib takes as long to import as Python takes to start

from __future__ import annotations

import ctypes
import os
import select
import sys

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_SIGKILL = 9  # the module signal takes as long to import as all the others


def supervise(watch: int) -> None:
    """Fork: return in the child, in a process group of its own; the parent supervises it, and ends as it did."""
    if is_readable(watch):  # nobody writes to it: the driver has gone already
        os._exit(1)
    child = fork()
    if child == 0:
        return
    close_all_but(watch)  # the end of a channel is the command's to close
    ended = os.pidfd_open(child)
    readable([watch, ended])
    _end_as(end(child, ended))


def fork() -> int:
    """As os.fork, by the leader of a session: the child is in a process group of its own, and dies with this process.

    What the child leaves behind falls to this process.
    """
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _prctl(_SET_PDEATHSIG, _SIGKILL)
        if os.getsid(0) != os.getppid():  # the supervisor has died already
            os._exit(1)
    else:
        _prctl(_SET_CHILD_SUBREAPER, 1)
    return child


def end(child: int, ended: int) -> int:
    """Kill a child, unless its descriptor says that it has ended, and all that it started; its return code."""
    if not is_readable(ended):
        os.kill(child, _SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_children()
    return os.waitstatus_to_exitcode(status)


def close_all_but(*kept: int) -> None:
    """Close every descriptor but these and the standard ones."""
    for number in (int(name) for name in os.listdir("/proc/self/fd")):
        if number > 2 and number not in kept:
            try:
                os.close(number)
            except OSError:
                pass


def is_readable(descriptor: int) -> bool:
    return bool(readable([descriptor], 0))


def readable(descriptors: list[int], limit_ms: int | None = None) -> list[int]:
    """Those that can be read, or whose other end is closed, or whose process has ended."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return [descriptor for descriptor, _ in poll.poll(limit_ms)]


def _end_children() -> None:
    """Kill every child, until there is none: those of a killed one become this process's."""
    while True:
        for child in _children():
            try:
                os.kill(child, _SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Not by /proc/self/task/*/children, which not every kernel has."""
    found, here = [], str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if file.read().rpartition(b")")[2].split()[1].decode() == here:
                        found.append(int(name))
            except OSError:
                pass
    return found


def _end_as(returncode: int) -> None:
    """End with this status, or of this signal (no second core dump)."""
    if returncode < 0:
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            signal.signal(-returncode, signal.SIG_DFL)
        except (OSError, ValueError):
            pass
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
