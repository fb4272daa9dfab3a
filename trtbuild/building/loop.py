"""The loop: a plan, a store, an executor and a status -> finished steps.

Scheduler: topological readiness with a slot for each core.  Rebuilder: DVC's records (deep recipe, shallow content:
an upstream rebuilt to the same bytes changes nothing downstream).  Store: DVC's cache and run cache.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, RemoteError, TrtbuildError
from trtbuild.building import sandbox
from trtbuild.building.observation import judge_step, unpulled_sources
from trtbuild.building.states import VERDICT, Ending, Outcome
from trtbuild.core import memory
from trtbuild.core.explain import Judgement
from trtbuild.core.job import prepare
from trtbuild.core.plan import Plan
from trtbuild.core.record import Digest, Record, action_key, same
from trtbuild.core.schedule import Schedule
from trtbuild.core.step import Step
from trtbuild.core.verdict import headline
from trtbuild.documents import reading
from trtbuild.documents.verdict import Verdict
from trtbuild.remote.fetching import Fetcher
from trtbuild.remote.models import bring_models
from trtbuild.store import Store
from trtbuild.store.objects import DamagedObject
from trtbuild.store.usage import in_use
from trtbuild.workers.executors import Beginning, Completion, Executor, Interpreter
from trtbuild.workers.status import Status, short_name

if TYPE_CHECKING:
    from filelock import BaseFileLock

_TICK_S = 5.0  # how often the status is told that time passes
_LOCKED_POLL_S = 0.2  # how often to look again when another trtbuild holds a step


class Builder:
    """One build of one plan."""

    def __init__(self, store: Store, executor: Executor, interpreter: Interpreter, status: Status) -> None:
        self.store, self.executor, self.interpreter, self.status = store, executor, interpreter, status
        store.note = status.note
        self.fetcher = Fetcher(store, status.note)
        self.outcome = Outcome()
        self._locks: dict[str, BaseFileLock] = {}
        self._digests: dict[str, Mapping[str, Digest]] = {}
        self._brought: dict[str, RemoteError | None] = {}
        self._why: dict[str, str] = {}  # steps run, by key
        self._refused: dict[str, Step] = {}  # by the executor, for now
        self._steps: tuple[Step, ...] = ()
        self._model_files: Mapping[str, Iterable[str]] = {}
        self._sandboxes = Path()

    def build(self, plan: Plan) -> Outcome:
        """Bring every step up to date; a failed step blocks only the steps that read from it."""
        schedule = Schedule(plan.steps)
        self._steps = plan.steps
        self._model_files = memory.model_files(plan.steps)
        with in_use(self.store.workspace), self.store.workspace.scratch("build") as self._sandboxes:
            self._run(schedule)
        return self.outcome

    def _run(self, schedule: Schedule) -> None:
        try:
            while not schedule.over:
                progress = False
                for step in schedule.ready():
                    progress |= self._advance(step, schedule)
                if schedule.running:
                    ended = self.executor.wait(_LOCKED_POLL_S if schedule.ready() else _TICK_S)
                    self.status.tick()
                    if isinstance(ended, Beginning):
                        self.status.started(ended.step, f"{self._why[ended.step.key]}; on {ended.where}")
                    elif ended is not None:
                        self._conclude(ended, schedule)
                elif not progress:
                    time.sleep(_LOCKED_POLL_S)
        finally:
            self.executor.stop()
            self.store.objects.set_damaged_aside()
            for lock in self._locks.values():
                lock.release()
            self.store.save_state()

    def _advance(self, step: Step, schedule: Schedule) -> bool:
        """Restore or start a ready step; False if it has to wait for a slot or another process."""
        try:
            refused = self._refused.get(step.key)
            if refused is not None and not self.executor.free(refused):
                return False  # without judging it again: thousands of steps may wait for a slot
            if refused is None and judge_step(step, self.store).state == "fresh":
                return self._done(step, schedule, "fresh")
            step = memory.sized(step, self._model_files, self._size)
            if not self.executor.free(step):
                self._refused[step.key] = step
                return False
            known = self.store.input_digests(step) is not None
            lock = self._lock(step)
            if lock is None:
                return False
            self._locks[step.key] = lock
            judgement = judge_step(step, self.store)  # another process may have built it in the meantime
            if judgement.state == "fresh":
                return self._done(step, schedule, "fresh")
            if how := self._without_running(step, judgement):
                return self._done(step, schedule, how)
            if not known:  # its sources have come: only now can the lock be that of its action
                self._release(step)
                return True
            self._start(step, judgement)
            schedule.started(step)
        except (TrtbuildError, OSError) as error:
            self._fail(step, schedule, sandbox.as_error(error, self.store.root))
        return True

    def _size(self, path: str) -> int | None:
        digest = self.store.input_digest(path)
        return None if digest is None else digest.size

    def _without_running(self, step: Step, judgement: Judgement) -> Ending | None:
        """Restore a step from its record, a remote or the run cache; returns how, or None if it has to run."""
        if judgement.state == "remote":
            if unpulled_sources(step, self.store):
                self._inputs(step)
            if step.key not in self.fetcher.requested:
                self.fetcher.bring(s for s in self._steps if judge_step(s, self.store).state == "remote")
            self.fetcher.check(step)
            judgement = judge_step(step, self.store)
            if judgement.state == "fresh":
                return "pulled"
        record = self.store.record(step)
        if record is not None and judgement.restorable and self._restored(step, record):
            return "pulled" if step.key in self.fetcher.requested else "restored"
        digests = self._inputs(step)
        remembered = self.store.runs.remembered(step, digests)
        if remembered is not None and self._restored(step, remembered):
            return "restored"
        if self.fetcher.result(step, digests):
            return "pulled"
        self._digests[step.key] = digests
        return None

    def _restored(self, step: Step, record: Record) -> bool:
        """False if an object turns out to be damaged: the store has reported it, and it now counts as absent."""
        try:
            self.store.restore(step, record)
        except DamagedObject:
            return False
        return True

    def _inputs(self, step: Step) -> Mapping[str, Digest]:
        """Digests of all inputs; missing source files are pulled first."""
        for tracked in unpulled_sources(step, self.store):
            self._bring(tracked)
        digests = self.store.input_digests(step)
        if digests is None:
            missing = next(s.path for s in step.inputs.values() if not (self.store.root / s.path).exists())
            hint = "the config names it; check the path"
            raise ConfigError("no such file or folder", where=missing, hint=hint)
        return digests

    def _bring(self, tracked: str) -> None:
        """Bring a missing source model, once per build; others may come with it, and may fail to."""
        if tracked not in self._brought:
            wanted = [entry for entry in self.store.models.brought_with(tracked) if entry not in self._brought]
            self.status.note(f"pull   {', '.join(wanted)}")
            errors = bring_models(wanted, self.store)
            self._brought |= errors
            for entry, error in errors.items():
                if error is not None and entry != tracked:
                    self.status.note(f"note   {error}; this build does not need it")
        if (known := self._brought[tracked]) is not None:
            raise known

    def _start(self, step: Step, judgement: Judgement) -> None:
        folder = self._sandboxes / f"{step.model}.{Path(step.folder).name}"
        inputs = {name: self.store.root / source.path for name, source in step.inputs.items()}
        prepare(folder, step.kind, step.params, inputs, self.store.root)
        self._why[step.key] = judgement.why
        if self.executor.start(step, folder, self.interpreter):
            self.status.started(step, judgement.why)

    def _conclude(self, ended: Completion, schedule: Schedule) -> None:
        step = ended.step
        try:
            sandbox.check(step, ended)
            for path, digest in self._digests[step.key].items():
                # The bytes themselves, not the records: a file edited while the step ran must not be recorded.
                if step.inputs and not same(self.store.digest(path), digest):
                    raise ConfigError("changed while a step was reading it", where=path, hint="run it again")
            self.store.publish(step, self._digests[step.key], ended.sandbox / "out")
        except (TrtbuildError, OSError) as error:
            log = sandbox.keep_log(self.store.workspace, step, ended.sandbox)
            raised = sandbox.as_error(error, self.store.root)
            raised.details = (*raised.details, f"log: {log}") if log else raised.details
            self._fail(step, schedule, raised)
        else:
            self._done(step, schedule, "ran")
        finally:
            self.store.beside.call(shutil.rmtree, ended.sandbox, True)

    def _done(self, step: Step, schedule: Schedule, how: Ending) -> bool:
        self._release(step)
        self.outcome.steps[step.key] = how
        schedule.finished(step, ok=True)
        self.status.finished(step, how)
        if how != "fresh" and any(out.name == VERDICT for out in step.outs):
            # Now, not at the end: with no limit on latency, that is measured when the verdict is known.
            verdict = reading.read(self.store.root / step.folder / VERDICT, Verdict)
            self.status.note(f"verdict {short_name(step)}: {headline(verdict)}")
        return True

    def _fail(self, step: Step, schedule: Schedule, error: TrtbuildError) -> None:
        self._release(step)
        self.outcome.steps[step.key] = "failed"
        self.outcome.failures[step.key] = error
        self.status.failed(step, error)
        blocked = schedule.finished(step, ok=False)
        self.outcome.steps |= {other.key: "blocked" for other in blocked}
        if blocked:
            self.status.blocked(blocked)

    def _lock(self, step: Step) -> BaseFileLock | None:
        """The lock of a step's action, among all workspaces of its cache; the kernel frees it when its holder dies.

        In a cache that cannot be written, where nothing could be published either, among the workspace's own builds.
        """
        from filelock import FileLock, Timeout

        digests = self.store.input_digests(step)
        name = step.key if digests is None else action_key(step, digests)
        workspace = self.store.workspace
        for folder in (workspace.cache / "locks", workspace.private / "locks"):
            try:
                path = workspace.in_cache(folder) / f"{name[:24]}.lock"
                lock = FileLock(path, mode=0o666)  # a cache may be a team's
                lock.acquire(timeout=0)
                workspace.share(path)
                return lock
            except Timeout:
                return None
            except OSError:
                if folder.is_relative_to(workspace.private):
                    raise
        return None

    def _release(self, step: Step) -> None:
        lock = self._locks.pop(step.key, None)
        if lock is not None:
            lock.release()
