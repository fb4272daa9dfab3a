"""Executors: what a step costs beyond its own process, and how many workers share steps of simulated device time."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measure import say
from tests.support.pauses import steps, workspace
from trtbuild.base.workspace import Workspace
from trtbuild.building.loop import Builder
from trtbuild.core.job import prepare
from trtbuild.core.parse import parse
from trtbuild.core.plan import Plan
from trtbuild.core.spec import Executor
from trtbuild.core.step import Step
from trtbuild.store import Store
from trtbuild.workers.executors import Site
from trtbuild.workers.hermetic import WORKER
from trtbuild.workers.process import inherited
from trtbuild.workers.status import SilentStatus

CHAIN, ROUNDS = 10, 4  # steps one after the other, without a duration; rounds, interleaved
DEVICE_S, TOGETHER, WORKERS = 10.0, 16, (1, 2, 4, 8)
BARS_S = {"local": 0.060, "dask": 0.120}


class _Times(SilentStatus):
    """When each step had been recorded, and when the first one began."""

    def __init__(self) -> None:
        self.began = 0.0
        self.recorded: list[float] = []

    def started(self, step: Step, why: str) -> None:
        self.began = self.began or time.monotonic()

    def finished(self, step: Step, how: str) -> None:
        self.recorded.append(time.monotonic())


def measure(scratch: Path) -> None:
    chain = [{"name": f"c{i}", "seconds": 0, **({"after": [f"c{i - 1}"]} if i else {})} for i in range(CHAIN)]
    bytes_of: dict[str, list[str]] = {}
    seconds: dict[str, list[float]] = {"alone": [], "local": [], "dask": []}
    for number in range(ROUNDS):
        seconds["alone"] += _own_work(scratch / f"alone-{number}")
        for name, spec in (("local", {"module": "local"}), ("dask", _cluster(1))):
            times, bytes_of[name] = _build(scratch / f"chain-{name}-{number}", chain, spec)
            seconds[name] += [after - before for before, after in pairwise(times.recorded)]
    alone = statistics.median(seconds["alone"])
    say("one step's process by itself", f"{1000 * alone:.0f} ms (median of {len(seconds['alone'])})", "")
    for name, bar in BARS_S.items():
        over = statistics.median(seconds[name]) - alone
        say(f"  {name}: a step beyond it, recorded", f"{1000 * over:.0f} ms", f"bar {1000 * bar:.0f} ms")
    together = [{"name": f"t{i}", "seconds": DEVICE_S} for i in range(TOGETHER)]
    first = 0.0
    for workers in WORKERS:
        times, bytes_of[f"{workers}"] = _build(scratch / f"together-{workers}", together, _cluster(workers))
        took = times.recorded[-1] - times.began
        first = first or took
        share = first / took / workers
        say(f"{TOGETHER} steps of {DEVICE_S:g} s, {workers} workers", f"{took:.1f} s", f"{share:.2f} of linear")
    same = bytes_of["local"] == bytes_of["dask"] and len({tuple(bytes_of[f"{workers}"]) for workers in WORKERS}) == 1
    say("outputs of all executors", "equal" if same else "DIFFERENT", "bar equal")


def _cluster(workers: int) -> dict[str, Any]:
    arguments = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": ":0"}
    return {"module": "dask", "cluster": {"_target_": "distributed.LocalCluster", **arguments}}


def _build(root: Path, described: list[dict[str, Any]], spec: Mapping[str, object]) -> tuple[_Times, list[str]]:
    place = Workspace(workspace(root))
    place.prepare()
    store, times, wanted = Store(place), _Times(), steps(described)
    executor = parse(Executor, spec, "executor")
    made = import_module(f"trtbuild.workers.executors.{executor.module}").make(executor, Site(store, lambda line: None))
    outcome = Builder(store, made, lambda step: Path(sys.executable), times).build(Plan(tuple(wanted), {}))
    if outcome.failures:
        raise SystemExit(str(next(iter(outcome.failures.values()))))
    records = [store.record(step) for step in wanted]
    return times, [record.outs["out.json"].md5 for record in records if record is not None]


def _own_work(folder: Path) -> list[float]:
    """Seconds of such a step's process, started by hand."""
    seconds = []
    for i in range(CHAIN):
        prepare(folder / str(i), "workers.jobs.pause", {"seconds": 0}, {}, folder)
        began = time.monotonic()
        command = [sys.executable, "-s", str(WORKER), str(folder / str(i))]
        subprocess.run(command, check=True, capture_output=True, env=inherited())
        seconds.append(time.monotonic() - began)
    return seconds
