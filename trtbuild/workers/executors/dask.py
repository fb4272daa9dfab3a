"""Steps as tasks of a Dask cluster: submitted once their inputs are known, by run-cache key; run by workers/task.py.

The scheduler decides where, by resources (core/demand.py), and runs equal tasks of two users once.  What is bound to
this machine, its device or its workspace's own report templates, runs here if no worker is the same.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trtbuild
from trtbuild.base.errors import PlaceError, TrtbuildError, WorkerDied, first_line
from trtbuild.core.demand import bound, needs
from trtbuild.core.record import Digest
from trtbuild.core.spec import Executor
from trtbuild.core.step import Step
from trtbuild.remote.transport import CACHE, Depot, Transport, through_cache, through_remote
from trtbuild.workers import cluster, task
from trtbuild.workers.executors import Beginning, Completion, Interpreter, Site
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.limits import Limits
from trtbuild.workers.status import short_name

if TYPE_CHECKING:
    from distributed import Client, Future

_MOST = 400  # steps at once: each holds a lock of the cache, which is an open file
_LOOK_S = cluster.LOOK_S  # how often the workers' resources are compared with what steps need
_TOPICS = {task.BEGINNINGS: "began", "all": "cluster"}  # of Dask's events, and what they are here
_HOME_S = 0.1  # how often steps at home are looked at while others are away


@dataclass
class _Away:
    """A submitted step."""

    step: Step
    sandbox: Path
    digests: Mapping[str, Digest]
    order: task.Order
    needs: dict[str, float]
    since: float
    future: Future | None = None
    worker: str = ""  # that runs it
    noted: bool = False  # that it waits


@dataclass(frozen=True)
class _Connection:
    """What there is once the first step has to run elsewhere."""

    joined: cluster.Membership
    transport: Transport
    depot: Depot
    offers: cluster.Offers


class DaskExecutor:
    def __init__(self, spec: Executor, site: Site) -> None:
        self._spec, self._site = spec, site
        self._limits = Limits(spec.time_limit_s, spec.memory_limit_bytes)
        self._home = LocalExecutor(limits=self._limits)
        self._at_home = 0
        self._away: dict[str, _Away] = {}  # by task
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._deaths: Counter[str] = Counter()
        self._compared = 0.0
        self._known: _Connection | TrtbuildError | None = None

    @property
    def _connected(self) -> _Connection:
        """Raises TrtbuildError: there is no cluster; the same to every step."""
        if self._known is None:
            try:
                joined = cluster.join(self._spec, self._site.note)
            except TrtbuildError as error:
                self._known = error
                raise
            try:
                transport = self._transport(joined.local)
                depot = Depot.of_driver(transport, self._site.store)
            except TrtbuildError as error:
                joined.leave()
                self._known = error
                raise
            for topic, kind in _TOPICS.items():
                joined.client.subscribe_topic(topic, lambda event, kind=kind: self._events.put((kind, event[1])))
            self._known = _Connection(joined, transport, depot, cluster.Offers(joined.client))
        if isinstance(self._known, TrtbuildError):
            raise self._known
        return self._known

    @property
    def _client(self) -> Client:
        return self._connected.joined.client

    def _transport(self, local: bool) -> Transport:
        """``local``: whether the workers are this machine's."""
        workspace = self._site.store.workspace
        name = self._spec.transport or (CACHE if local else workspace.default_remote or CACHE)
        return through_cache(workspace) if name == CACHE else through_remote(workspace, name)

    def free(self, step: Step) -> bool:
        return self._home.free(step) if self._stays(step) else len(self._away) < _MOST

    def _stays(self, step: Step) -> bool:
        """Whether it is bound to this machine: no worker is the same device, or has the same templates."""
        needed = needs(step)
        labels = {name: needed[name] for name in bound(needed)}
        return bool(labels) and not self._connected.offers.takers(labels)

    def start(self, step: Step, sandbox: Path, interpreter: Interpreter) -> bool:
        if self._stays(step):
            self._home.start(step, sandbox, interpreter)
            self._at_home += 1
            return True
        digests = self._site.store.input_digests(step) or {}
        self._connected.depot.offer(step, digests)
        order = task.Order(step, digests, self._connected.transport, self._limits)
        away = _Away(step, sandbox, digests, order, needs(step), time.monotonic())
        self._submit(away)
        self._away[order.key] = away
        return False

    def _submit(self, away: _Away, among: list[str] | None = None) -> None:
        """Raises PlaceError: the scheduler is gone."""
        if self._client.status != "running":
            raise self._lost_scheduler()
        away.future = self._client.submit(
            task.perform, trtbuild.__version__, away.order.packed(), key=away.order.key, resources=away.needs,
            pure=False, workers=among, allow_other_workers=among is not None,
        )  # fmt: skip
        self._watch(away.future)

    def _watch(self, future: Future) -> None:
        future.add_done_callback(lambda done: self._events.put(("done", done)))

    def wait(self, timeout_s: float | None) -> Completion | Beginning | None:
        deadline = time.monotonic() + (_LOOK_S if timeout_s is None else timeout_s)
        while self._away or self._at_home:
            if self._at_home and (ended := self._home.wait(0.0 if not self._events.empty() else _HOME_S)) is not None:
                self._at_home -= 1
                return ended
            if (given_up := self._look_for_workers()) is not None:
                return given_up
            left = deadline - time.monotonic()
            try:
                kind, value = self._events.get(timeout=max(0.0, 0.0 if self._at_home else min(left, _LOOK_S)))
            except queue.Empty:
                if left <= 0:
                    return None
                continue
            if (told := self._told(kind, value)) is not None:
                return told
        return None

    def _told(self, kind: str, value: Any) -> Completion | Beginning | None:
        if kind == "done":
            away = next((a for a in self._away.values() if a.future is value), None)
            return None if away is None else self._done(away, value)
        if kind == "began" and value["key"] in self._away:
            away = self._away[value["key"]]
            away.worker = value["worker"]
            return Beginning(away.step, value["worker"].partition("://")[2])
        if kind == "cluster" and value.get("action") == "remove-worker":
            return self._lost(value)
        return None

    def _lost(self, event: Mapping[str, Any]) -> Completion | None:
        """A worker has gone: what ran on it runs elsewhere, unless it has taken too many with it."""
        for key in event["processing-tasks"]:
            away = self._away.get(key)
            if away is None or event["expected"] or away.worker != event["worker"]:
                continue
            away.worker = ""
            self._deaths[key] += 1
            if self._deaths[key] >= task.DEATHS:
                what = f"{task.DEATHS} workers died while they ran it"
                hint = "see their logs; out of memory?"
                return self._end(away, error=WorkerDied(what, where=away.step.folder, hint=hint))
            where = event["worker"].partition("://")[2]
            self._site.note(f"note   the worker {where} died; {short_name(away.step)} runs elsewhere")
        return None

    def _done(self, away: _Away, future: Future) -> Completion | None:
        from distributed import CancelledError, KilledWorker

        try:
            answer: task.Answer = future.result(timeout=_LOOK_S)
        except TimeoutError:  # its worker died before the answer was fetched: another gives it
            self._events.put(("done", future))
            return None
        except KilledWorker:  # counted also for steps that only waited there (distributed 2026.8): ours counts
            self._client.retry([future])
            self._watch(future)
            return None
        except CancelledError:
            return self._end(away, error=self._lost_scheduler())
        except Exception as error:  # what a worker could not even begin, or a bug in its work
            what = f"{type(error).__name__} on a worker: {first_line(error)}"
            hint = "does every worker run the same trtbuild?"
            return self._end(away, error=TrtbuildError(what, where=away.step.folder, hint=hint))
        if answer.unable and self._elsewhere(away, answer):
            return None
        if answer.outs is None:
            for name, content in answer.files.items():
                (away.sandbox / name).write_bytes(content)
            return self._end(away, answer.returncode, answer.exceeded, answer.error)
        try:
            self._connected.depot.receive(away.step, away.digests, answer.outs)
        except (TrtbuildError, OSError) as error:
            own = error if isinstance(error, TrtbuildError) else PlaceError(str(error), where=away.step.folder)
            return self._end(away, error=own)
        return self._end(away, recorded=True)

    def _elsewhere(self, away: _Away, answer: task.Answer) -> bool:
        """Have another worker run a step for which this one is not the place, unless three were not."""
        avoid = (*away.order.avoid, answer.worker)
        others = self._connected.offers.takers(away.needs, avoid)
        if len(avoid) == task.DEATHS or not others or self._client.status != "running":
            return False
        where = answer.worker.partition("://")[2]
        self._site.note(f"note   the worker {where}: {answer.unable}; {short_name(away.step)} runs elsewhere")
        self._again(away, replace(away.order, avoid=avoid), others)
        return True

    def _again(self, away: _Away, order: task.Order, among: list[str] | None = None) -> None:
        """Submit it as another task."""
        self._forget(away)
        away.order, away.worker, away.since = order, "", time.monotonic()
        self._away[order.key] = away
        self._submit(away, among)

    def _lost_scheduler(self) -> PlaceError:
        what, hint = "the connection to the scheduler was lost", "is it still running?"
        return PlaceError(what, where=self._connected.joined.address, hint=hint)

    def _end(
        self, away: _Away, returncode: int = 0, exceeded: str = "", error: TrtbuildError | None = None,
        recorded: bool = False,
    ) -> Completion:  # fmt: skip
        self._forget(away)
        if error is not None:  # where the log of a step that ran is
            (away.sandbox / "log.txt").write_text(f"{error}\n", "utf-8")
        return Completion(away.step, away.sandbox, returncode, exceeded, error, recorded)

    def _forget(self, away: _Away) -> None:
        self._away.pop(away.order.key, None)
        if away.future is not None:
            away.future.release()

    def _look_for_workers(self) -> Completion | None:
        """Note which steps no worker can take; one for which patience has ended."""
        waiting = [away for away in self._away.values() if not away.worker]
        if not waiting or time.monotonic() - self._compared < _LOOK_S or self._client.status != "running":
            return None  # a scheduler that is gone ends every future
        self._compared = time.monotonic()
        offers = self._connected.offers
        for away in waiting:
            if offers.takers(away.needs, away.order.avoid):
                continue
            if (largest := offers.largest(away.needs)) is not None:  # alone on it, as on one machine
                away.needs["memory"] = largest
                self._again(away, replace(away.order, alone=True))
                continue
            what = offers.shortage(away.needs, away.order.avoid)
            if not away.noted:
                away.noted = True
                self._site.note(f"wait   {short_name(away.step)}: {what}")
            patience = self._spec.patience_s
            if patience is not None and time.monotonic() - away.since > patience:
                hint = "start one (docs/cluster.md), or allow a longer executor.patience"
                return self._end(away, error=PlaceError(what, where=away.step.folder, hint=hint))
        return None

    def stop(self) -> None:
        self._home.stop()
        futures = [away.future for away in self._away.values() if away.future is not None]
        self._away.clear()
        if not isinstance(self._known, _Connection):
            return
        with contextlib.suppress(Exception):  # the scheduler may be gone; the build ends in any case
            for topic in _TOPICS:
                self._client.unsubscribe_topic(topic)
            if futures:
                self._client.cancel(futures)
        self._known.joined.leave()


def make(spec: Executor, site: Site) -> DaskExecutor:
    return DaskExecutor(spec, site)
