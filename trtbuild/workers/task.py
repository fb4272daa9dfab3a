"""One step as a task of a Dask cluster: what is sent (an order), the work on the worker, what comes back (an answer).

Only digests, parameters and the end of a failed step's log are in messages; files travel as remote/transport.py says.
"""

from __future__ import annotations

import contextlib
import pickle
import secrets
import shutil
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trtbuild
from trtbuild import toolchains
from trtbuild.base.errors import PlaceError, TrtbuildError
from trtbuild.core.job import prepare, read_result
from trtbuild.core.record import Digest, action_key, sorted_sha256
from trtbuild.core.step import Step
from trtbuild.remote.transport import Depot, Transport
from trtbuild.workers.executors import Completion
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.forks import Nursery
from trtbuild.workers.limits import Limits

BEGINNINGS = "trtbuild-beginnings"  # the topic under which workers report what they have begun
KEPT = ("log.txt", "stage", "result.json", "out/build.log")  # of a failed step, as building/sandbox.py reads them
KEPT_BYTES = 1 << 20  # of each, its end
DEATHS = 3  # of workers, while they ran the same step: then it is the step's failure
_LOOK_S = 0.1  # how soon a stopped step ends
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

    @property
    def key(self) -> str:
        """The run-cache key, after the kind, which Dask groups by; equal orders of two users are one task.

        What must not be shared keeps them apart: where files travel, and the limits.
        """
        apart = sorted_sha256([self.transport.identity, self.limits.time_s, self.limits.memory_bytes])[:8]
        return f"{self.step.kind}-{action_key(self.step, self.digests)}-{apart}{'-alone' if self.alone else ''}"

    def packed(self) -> bytes:
        return pickle.dumps(self)


@dataclass(frozen=True)
class Answer:
    """``outs``: what is recorded now; None if the step failed, as ``error``, or as ``files`` and the rest say."""

    outs: Mapping[str, Digest] | None = None
    returncode: int = 0
    exceeded: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: TrtbuildError | None = None


def perform(version: str, packed: bytes) -> Answer:
    """Carry out an order on this worker, unless the result is there already.

    Args:
        version: the driver's, which is checked before anything of it is read.
    """
    from distributed import Reschedule, get_worker

    worker = get_worker()
    if version != trtbuild.__version__:
        what = f"this worker has trtbuild {trtbuild.__version__}, and the build is by {version}"
        return Answer(error=PlaceError(what, where=worker.address, hint="install the same on both"))
    order: Order = pickle.loads(packed)
    key, scratch = str(worker.get_current_task()), Path(worker.local_directory, "trtbuild")
    stop = stops[key] = threading.Event()
    folder = scratch / secrets.token_hex(8)
    worker.log_event(BEGINNINGS, {"key": key, "worker": worker.address, "name": str(worker.name)})
    try:
        answer = _carry_out(order, _depot(order.transport, scratch), folder, stop)
    except TrtbuildError as error:
        return Answer(error=error)
    except OSError as error:
        where = f"{worker.address} {error.filename or ''}".strip()
        return Answer(error=PlaceError(error.strerror or str(error), where=where))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if stops.get(key) is stop:
            del stops[key]
    if answer is None:
        raise Reschedule  # nobody waits for it; who asked again in the meantime has it run again
    return answer


def _depot(transport: Transport, scratch: Path) -> Depot:
    with _lock:
        if transport.identity not in _depots:
            _depots[transport.identity] = Depot.of_worker(transport, scratch)
        return _depots[transport.identity]


def _carry_out(order: Order, depot: Depot, folder: Path, stop: threading.Event) -> Answer | None:
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
    files = {name: _end(box / name) for name in KEPT if (box / name).is_file()}
    return Answer(None, ended.returncode, ended.exceeded, files)


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
