"""A process that has imported TensorFlow, and never runs it, forks a process for each step.

``run.py FD zygote`` starts it (workers/forks.py); FD is a socket on which requests come, with descriptors.  A forked
step has a supervisor as any other (base/supervisor.py), forked from here, too; that one forks the jobs of its step, so
that they belong to the step's process tree.

A process that has run TensorFlow must not fork: the child lacks its threads, and waits for ever for locks that they
held (measured).  Nor one that has imported ONNX Runtime, which may start a thread.  So threads are counted: with one
more than numpy has, nothing is forked.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import pkgutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

from trtbuild.base import supervisor
from trtbuild.workers import forks

_NUMPY = "numpy"  # OpenBLAS ends its threads before a fork, and starts them again when it needs them
_AT_ONCE = ("tensorflow", "tf2onnx.tfonnx", "tf2onnx.tf_loader", "tf2onnx.optimizer", "keras")
# What steps import besides, one module at a time; a folder stands for all of its modules.  Never one of the workspace.
_SOON = (
    "onnx.checker", "onnx.helper", "onnx.numpy_helper", "onnx.shape_inference", "onnx.version_converter",
    "trtbuild.sources.tfmodel", "trtbuild.sources.tfonnx", "trtbuild.steps.export", "trtbuild.steps.reference",
    "trtbuild.steps.lower", "trtbuild.steps.infer", "trtbuild.graphs", "trtbuild.arrays", "trtbuild.quantizers",
    "trtbuild.runtimes",
)  # fmt: skip
_LATER = (
    "yaml", "jsonschema", "trtbuild.steps", "trtbuild.layers", "trtbuild.deviation", "trtbuild.engine",
    "trtbuild.latency", "trtbuild.machine", "trtbuild.workers.jobs", "jinja2", "plotly.offline",
    "trtbuild.reports.overview", "trtbuild.reports.summary", "trtbuild.reports.deviation", "trtbuild.reports.engine",
    "trtbuild.reports.estimate", "trtbuild.reports.task", "trtbuild.reports.layers", "trtbuild.reports.latency",
    "trtbuild.reports.flamegraph", "trtbuild.reports.precompiled",
)  # fmt: skip
_MESSAGE_BYTES, _DESCRIPTORS = 1 << 16, 16


@dataclass(frozen=True)
class Request:
    """A sandbox for run.py; descriptors that were ``received`` for it, and the numbers that they shall have."""

    folder: str
    cwd: str
    watch: int
    status: int
    received: tuple[int, ...]
    numbers: tuple[int, ...]

    def close(self) -> None:
        for number in (self.watch, self.status, *self.received):
            os.close(number)


def await_step(number: int) -> str:
    """Import, then fork a process for each request; returns in each of them, with its sandbox."""
    with open(os.devnull, "r+b", buffering=0) as quiet:
        for stream in (0, 1, 2):
            os.dup2(quiet.fileno(), stream)
    requests = socket.socket(fileno=number)
    requests.set_inheritable(False)
    gc.disable()  # nothing of this is garbage, and looking for it takes a fifth of the time
    import_module(_NUMPY)
    check = _thread_check()
    for name in _AT_ONCE:
        import_module(name)
    check()
    gc.freeze()  # a collection writes to every object, and so copies every page that forks share
    requests.send(forks.READY)
    request = _next_request(requests, _modules(_SOON), _modules(_LATER), check)
    while (nested := _supervise(request)) is not None:
        request = nested
    return request.folder


def _thread_check() -> Callable[[], None]:
    """What ends this process if it has more threads than now."""
    allowed = len(os.listdir("/proc/self/task"))

    def check() -> None:
        if len(os.listdir("/proc/self/task")) > allowed:
            os._exit(1)

    return check


def _modules(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield name
        if name.startswith("trtbuild.") and hasattr(sys.modules[name], "__path__"):
            yield from sorted(f"{name}.{module.name}" for module in pkgutil.iter_modules(sys.modules[name].__path__))


def _next_request(
    requests: socket.socket, soon: Iterator[str], later: Iterator[str], check: Callable[[], None]
) -> Request:
    """Fork for each request, until the other end is closed; returns in the forks.

    Meanwhile modules are imported: those that may come ``later`` only while the forks leave a core.
    """
    cores, supervisors = len(os.sched_getaffinity(0)), set[int]()
    while True:
        name = next(soon, "") or (next(later, "") if len(supervisors) < cores else "")
        found = supervisor.readable([requests.fileno(), *supervisors], 0 if name else None)
        for ended in supervisors.intersection(found):
            supervisors.remove(ended)
            os.close(ended)
        if requests.fileno() in found:
            request = _receive(requests)
            if request is None:
                os._exit(0)
            child = _fork()
            if child == 0:
                for number in supervisors:
                    os.close(number)
                requests.close()
                gc.freeze()
                gc.enable()
                return request
            request.close()
            supervisors.add(os.pidfd_open(child))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # each has told its end itself
                pass
        if name:
            import_module(name)
            check()


def _receive(requests: socket.socket) -> Request | None:
    """The next request; None when there will be none."""
    message, received, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, _DESCRIPTORS)
    if not message:
        return None
    asked = json.loads(message)
    watch, status, *rest = received
    return Request(asked["folder"], asked["cwd"], watch, status, tuple(rest), tuple(asked["numbers"]))


def _fork(fork: Callable[[], int] = os.fork) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 counts OpenBLAS's threads
        return fork()


def _supervise(request: Request) -> Request | None:
    """Fork the step, and be its supervisor: returns None in the step, and in a fork for one of its jobs the request."""
    os.setsid()
    own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        os.write(request.watch, str(os.getpid()).encode())
    except BrokenPipeError:  # whoever asked has gone
        os._exit(1)
    child = _fork(supervisor.fork)
    if child == 0:
        own.close()
        _become(request, theirs)
        return None
    theirs.close()
    for number in request.received:
        os.close(number)  # the end of a channel is the step's to close
    ended = os.pidfd_open(child)
    awaited = [request.watch, ended, own.fileno()]
    while not {request.watch, ended}.intersection(supervisor.readable(awaited)):
        nested = _receive(own)
        if nested is None:
            awaited.remove(own.fileno())  # the step has closed its end
        elif _fork() == 0:
            own.close()
            for number in (request.watch, request.status, ended):
                os.close(number)
            return nested
        else:
            nested.close()
    try:
        os.write(request.status, str(supervisor.end(child, ended)).encode())
    finally:  # whoever asked may have gone
        os._exit(0)


def _become(request: Request, requests: socket.socket) -> None:
    """Make this process what a started one would be: descriptors, folder, arguments."""
    above = max((*request.numbers, 2)) + 1  # beyond all that is given a number now
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, above) for number in (*request.received, requests.fileno())]
    request.close()
    requests.close()
    for number, wanted in zip(moved, request.numbers, strict=False):
        os.dup2(number, wanted)
        os.close(number)
    os.chdir(request.cwd)
    sys.argv = [sys.argv[0], request.folder]
    forks.parent = forks.Zygote(socket.socket(fileno=moved[-1]), dict(os.environ))
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()  # else all forks would draw the same numbers
