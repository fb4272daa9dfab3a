"""One step as a task of a Dask cluster: what is sent (an order), the work on the worker, what comes back (an answer).

Only digests, parameters and the end of a failed step's log are in messages; files travel as remote/transport.py says.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trtbuild
from trtbuild import toolchains
from trtbuild.base.errors import PlaceError, TrtbuildError, error_named
from trtbuild.core.job import prepare, read_result
from trtbuild.core.record import Digest, action_key, sorted_sha256
from trtbuild.core.step import Step
from trtbuild.remote.remotes import TamperedError
from trtbuild.remote.transport import Depot, Transport
from trtbuild.workers.executors import Completion
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.forks import Nursery
from trtbuild.workers.limits import Limits
from trtbuild.workers.process import full_disk

BEGINNINGS = "trtbuild-beginnings"  # the topic under which workers report what they have begun
KEPT = ("log.txt", "stage", "result.json", "out/build.log")  # of a failed step, as building/sandbox.py reads them
KEPT_BYTES = 1 << 20  # of each, its end
DEATHS = 3  # of workers, while they ran the same step: then it is the step's failure
_LOOK_S = 0.1  # how soon a stopped step ends
_AVOIDED_S = 0.5
# Of the steps that run in this process, by task: set when nobody wants the result any more (lab.py).
stops: dict[str, threading.Event] = {}
_depots: dict[str, Depot] = {}
_nursery = Nursery()  # ends with this process
_lock = threading.Lock()


@dataclass(frozen=True)
class Order:
    step: Step
    digests: Mapping[str, Digest]  # of the inputs, by workspace path
    transport: Transport
    limits: Limits
    alone: bool = False  # whether it needs more memory than any worker has, and takes one for itself
    avoid: tuple[str, ...] = ()  # workers that could not run it

    @property
    def key(self) -> str:
        """The run-cache key, after the kind, which Dask groups by; equal orders of two users are one task.

        What must not be shared keeps them apart: where files travel, the limits, and where it cannot run.
        """
        limits = [self.limits.time_s, self.limits.memory_bytes]
        apart = sorted_sha256([self.transport.identity, *limits, *self.avoid])[:8]
        return f"{self.step.kind}-{action_key(self.step, self.digests)}-{apart}{'-alone' if self.alone else ''}"

    def packed(self) -> bytes:
        return pickle.dumps(self)


@dataclass(frozen=True)
class Answer:
    """``outs``: what is recorded now; None if the step failed, as ``error``, or as ``files`` and the rest say.

    ``unable``: why this ``worker`` is not the place for the step (a full disk, say), where another one may be.
    """

    outs: Mapping[str, Digest] | None = None
    returncode: int = 0
    exceeded: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: TrtbuildError | None = None
    unable: str = ""
    worker: str = ""


def perform(version: str, packed: bytes) -> Answer:
    """Carry out an order on this worker, unless the result is there already.

    Args:
        version: the driver's, which is checked before anything of it is read.
    """
    from distributed import Reschedule, get_worker

    worker = get_worker()
    if version != trtbuild.__version__:
        what = f"this worker has trtbuild {trtbuild.__version__}, and the build is by {version}"
        return _refusal(PlaceError(what, where=worker.address, hint="install the same on both"), worker.address)
    order: Order = pickle.loads(packed)
    if worker.address in order.avoid:  # stealing does not know of that; without a pause it would again at once
        time.sleep(_AVOIDED_S)
        raise Reschedule
    key, scratch = str(worker.get_current_task()), Path(worker.local_directory, "trtbuild")
    stop = stops[key] = threading.Event()
    folder = scratch / secrets.token_hex(8)
    worker.log_event(BEGINNINGS, {"key": key, "worker": worker.address, "name": str(worker.name)})
    try:
        answer = _carry_out(order, _depot(order.transport, scratch), folder, stop, worker.address)
    except TrtbuildError as error:
        return _refusal(error, worker.address)
    except OSError as error:
        where = f"{worker.address} {error.filename or ''}".strip()
        return _refusal(PlaceError(error.strerror or str(error), where=where), worker.address)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if stops.get(key) is stop:
            del stops[key]
    if answer is None:
        raise Reschedule  # nobody waits for it; who asked again in the meantime has it run again
    return answer


def _refusal(error: TrtbuildError, address: str) -> Answer:
    own = address.partition("://")[2]
    error = copy.copy(error)  # it may be kept for the next step
    error.details = (*error.details, *(() if own in error.where else (f"on the worker {own}",)))
    unable = isinstance(error, PlaceError) and not isinstance(error, TamperedError)  # which it is everywhere
    return Answer(error=error, unable=error.what if unable else "", worker=address)


def _depot(transport: Transport, scratch: Path) -> Depot:
    with _lock:
        if transport.identity not in _depots:
            _depots[transport.identity] = Depot.of_worker(transport, scratch)
        return _depots[transport.identity]


def _carry_out(
    order: Order, depot: Depot, folder: Path, stop: threading.Event, address: str
) -> Answer | None:  # fmt: skip
    step, digests = order.step, order.digests
    if (record := depot.find(step, digests)) is not None:
        return Answer(record.outs)
    root, box = folder / "workspace", folder / "box"
    root.mkdir(parents=True)
    depot.bring(digests if step.inputs else {}, root)
    inputs = {name: root / source.path for name, source in step.inputs.items()}
    prepare(box, step.kind, step.params, inputs, root)
    ended = _run(order, box, stop)
    if ended is None:
        return None
    result = read_result(box)
    written = all((box / "out" / out.name).is_file() for out in step.outs)
    if not ended.exceeded and result is not None and result.ok and written:
        return Answer(depot.publish(step, digests, box / "out").outs)
    if result is None and (full := full_disk(box)) is not None:
        raise full
    files = {name: _end(box / name) for name in KEPT if (box / name).is_file()}
    failure = result.failure if result is not None else None
    unable = failure.what if failure is not None and issubclass(error_named(failure.error), PlaceError) else ""
    return Answer(None, ended.returncode, ended.exceeded, files, unable=unable, worker=address)


def _run(order: Order, box: Path, stop: threading.Event) -> Completion | None:
    """None if it was stopped."""
    executor = LocalExecutor(1, limits=order.limits, nursery=_nursery)
    try:
        executor.start(order.step, box, lambda step: toolchains.of_step(step, install=True, note=_note))
        while not stop.is_set():
            if (ended := executor.wait(_LOOK_S)) is not None:
                return ended
        return None
    finally:
        executor.stop()


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _end(file: Path) -> bytes:
    with contextlib.suppress(OSError), file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - KEPT_BYTES))
        return content.read()
    return b""
