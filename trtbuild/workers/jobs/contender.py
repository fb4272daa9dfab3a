"""One contender of a latency measurement: the process that latency/contender.py talks to.

The first answer says what was loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from trtbuild.base.errors import ConfigError, EngineError
from trtbuild.core.job import Job
from trtbuild.core.recipes import session_options

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

    Feeds = Mapping[str, Array]

PROFILE_RUNS = 60  # at most; as many as fit the time


class Session(Protocol):
    """One that may have its own clock (``time_us``)."""

    about: Mapping[str, object]

    def run(self, feeds: Feeds) -> object: ...


class Engine(Session, Protocol):
    inputs: Mapping[str, object]


def run(job: Job) -> None:
    import numpy as np

    from trtbuild.arrays import outputs

    feeds = {name: np.asarray(stored) for name, stored in outputs.load(job.input("feeds")).items()}
    session = _open(job, feeds)
    session.run(feeds)  # a graph that loads may still fail to run
    job.answer(session.about)
    for command in job.questions():
        if command["do"] == "measure":
            job.answer(measure(session, feeds, command["warmup_s"], command["seconds"]))
        else:
            del session  # its memory and its threads
            job.answer(_profile(job, feeds, command["seconds"]))
            return


def measure(session: Session, feeds: Feeds, warmup_s: float, seconds: float) -> dict[str, object]:
    """Call until the time is over, at least once; durations in microseconds, without those of the warm-up.

    A session may have its own clock (``time_us``); with the wall clock they are whole microseconds.
    """
    timed = getattr(session, "time_us", None) or _wall_clock(session)
    end = time.perf_counter() + warmup_s
    while time.perf_counter() < end:
        timed(feeds)
    us: list[float] = []
    start = time.perf_counter()
    now = start_ns = time.perf_counter_ns()
    while not us or now - start_ns < seconds * 1e9:
        us.append(timed(feeds))
        now = time.perf_counter_ns()
    return {"start_s": start, "us": us}


def _wall_clock(session: Session) -> Callable[[Feeds], float]:
    def timed(feeds: Feeds) -> int:
        before = time.perf_counter_ns()
        session.run(feeds)
        return round((time.perf_counter_ns() - before) / 1000)

    return timed


def _open(job: Job, feeds: Feeds) -> Session:
    side, threads = job.params["side"], job.params["threads"]
    if side == "source" and job.params["source"]["kind"] != "onnx":
        from trtbuild.runtimes import tensorflow

        tensorflow.limit_threads(threads)
        source = job.input("source") if "source" in job.inputs else None
        return tensorflow.open_session(job.params["source"], source, job.params["inputs"])
    from importlib import import_module

    module = import_module(f"trtbuild.runtimes.{job.params['runtime']['module']}")
    options = session_options(job.params)
    if "flavour" not in options:
        session: Session = module.open_timed(_graph(job, feeds), options, threads)
        return session
    return _open_engine(job, module, options, feeds)


def _open_engine(job: Job, module: ModuleType, options: Mapping[str, object], feeds: Feeds) -> Session:
    """An engine, or one to compare with; a baseline that is not an engine is a wrong path in the config."""
    if job.params["side"] != "baseline":
        engine: Session = module.open_timed(job.input("graph"), options, job.params["threads"])
        return engine
    where, hint = job.params["baseline"], "name an engine.plan of another build in this TensorRT version"
    try:
        session: Engine = module.open_timed(job.input("graph"), options, job.params["threads"])
    except EngineError as error:
        raise ConfigError(f"'{where}' cannot be loaded: {error.what}", where="latency.baseline", hint=hint) from error
    if sorted(session.inputs) != sorted(feeds):
        what = f"'{where}' has inputs {sorted(session.inputs)}, the model {sorted(feeds)}"
        raise ConfigError(what, where="latency.baseline", hint=hint)
    return session


def _graph(job: Job, feeds: Feeds) -> Path:
    if job.params["side"] == "source":
        import onnx

        from trtbuild.sources import onnxsource

        # As one file: ONNX Runtime cannot read shapes that lie in external data.
        whole = job.output("whole.onnx")
        onnx.save(
            onnxsource.load_source(job.input("source"), job.params["source"]["path"], job.params["inputs"]), whole
        )
        return whole
    path = job.input("graph")
    if job.params["side"] == "baseline":
        _check_baseline(path, job.params["baseline"], feeds)
    return path


def _check_baseline(path: Path, where: str, feeds: Feeds) -> None:
    """A baseline is a graph of the same inputs; anything else is a wrong path in the config."""
    import onnx

    hint = "name a lowered.onnx of another build of this model"
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # protobuf's DecodeError has moved between versions
        raise ConfigError(f"'{where}' is not an ONNX file", where="latency.baseline", hint=hint) from error
    constants = {tensor.name for tensor in graph.initializer}
    names = sorted(value.name for value in graph.input if value.name not in constants)
    if names != sorted(feeds):
        what = f"'{where}' has inputs {names}, the model {sorted(feeds)}"
        raise ConfigError(what, where="latency.baseline", hint=hint)


def _profile(job: Job, feeds: Feeds, seconds: float) -> dict[str, object]:
    """Node times with their names; the runtime's trace is dropped once it is read."""
    from importlib import import_module

    module = import_module(f"trtbuild.runtimes.{job.params['runtime']['module']}")
    session = (job.input("graph"), session_options(job.params), job.params["threads"], feeds)
    profile = module.profile_nodes(*session, seconds, PROFILE_RUNS)
    kernels = module.count_kernels(*session)
    return {
        "times": dict(profile.times), "op_types": dict(profile.op_types), "kernels": kernels,
        "rows": list(profile.rows), "layers": dict(profile.layers),
    }  # fmt: skip
