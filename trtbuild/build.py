"""The loop: a plan, a store, an executor and a status -> finished steps.

Scheduler: topological readiness with a slot for each core.  Rebuilder: DVC's records (deep recipe, shallow content:
an upstream rebuilt to the same bytes changes nothing downstream).  Store: DVC's cache and run cache.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtbuild import tracking
from trtbuild.core.explain import Found, Judgement, judge
from trtbuild.core.job import Job, read_result, write_job
from trtbuild.core.plan import Plan
from trtbuild.core.record import Digest
from trtbuild.core.schedule import Schedule
from trtbuild.core.step import File, Step
from trtbuild.errors import ConfigError, PlaceError, RemoteError, TrtbuildError, WorkerDied, error_named
from trtbuild.executors import Ended, Executor
from trtbuild.status import Status
from trtbuild.store import Store

_LOCKED_POLL_S = 0.2  # another trtbuild holds a step: look again this often
_FULL_DISK_BYTES = 1 << 20
Interpreter = Callable[[Step], Path]


@dataclass
class Outcome:
    """How each step ended, by key: "fresh", "restored", "pulled", "ran", "failed" or "blocked"."""

    steps: dict[str, str] = field(default_factory=dict)
    failures: dict[str, TrtbuildError] = field(default_factory=dict)


def found(step: Step, store: Store) -> Found:
    """What the workspace holds of a step."""
    record = store.record(step)
    if record is None:
        return Found(None, None, {}, frozenset())
    outs = {name: store.digest(f"{step.folder}/{name}") for name in record.outs}
    cached = frozenset(name for name, digest in record.outs.items() if store.has(digest))
    inputs = store.input_digests(step)
    unpulled = "" if inputs is not None else next(iter(unpulled_sources(step, store)), "")
    return Found(record, inputs, outs, cached, unpulled)


def unpulled_sources(step: Step, store: Store) -> list[str]:
    """Entries of models.dvc that hold a source of the step which is not in the workspace."""
    absent = [s.path for s in step.inputs.values() if isinstance(s, File) and store.digest(s.path) is None]
    return [tracked for path in absent if (tracked := store.tracked_by(path)) is not None]


def judge_plan(plan: Plan, store: Store) -> list[tuple[Step, Judgement]]:
    """State and reason of every step, without running anything; a stale input makes what follows stale."""
    judged: dict[str, Judgement] = {}
    for step in plan.steps:
        verdict = judge(step, found(step, store))
        waiting = next((up for up in step.upstream if judged[up.key].state in ("stale", "missing")), None)
        if verdict.state == "fresh" and waiting is not None and not judged[waiting.key].restorable:
            verdict = Judgement("stale", f"waits for {waiting.kind}")
        judged[step.key] = verdict
    return [(step, judged[step.key]) for step in plan.steps]


class Builder:
    """One build of one plan."""

    def __init__(self, store: Store, executor: Executor, interpreter: Interpreter, status: Status) -> None:
        self.store, self.executor, self.interpreter, self.status = store, executor, interpreter, status
        self.outcome = Outcome()
        self._locks: dict[str, Any] = {}
        self._digests: dict[str, Mapping[str, Digest]] = {}
        self._pulled: set[str] = set()
        self._steps: tuple[Step, ...] = ()

    def build(self, plan: Plan) -> Outcome:
        """Bring every step up to date; a failed step blocks what reads from it, and nothing else."""
        schedule = Schedule(plan.steps)
        self._steps = plan.steps
        _sweep(self.store.workspace.work)
        try:
            while not schedule.over:
                progress = False
                for step in schedule.ready():
                    progress |= self._advance(step, schedule)
                if schedule.running:
                    ended = self.executor.wait(_LOCKED_POLL_S if schedule.ready() else None)
                    if ended is not None:
                        self._conclude(ended, schedule)
                elif not progress:
                    time.sleep(_LOCKED_POLL_S)
        finally:
            self.executor.stop()
            _sweep(self.store.workspace.work, mine=True)
            for lock in self._locks.values():
                lock.release()
            self.store.save_state()
        return self.outcome

    def _advance(self, step: Step, schedule: Schedule) -> bool:
        """Do what a ready step needs, or start it; False when it has to wait for a slot or another process."""
        try:
            verdict = judge(step, found(step, self.store))
            if verdict.state == "fresh":
                return self._done(step, schedule, "fresh")
            if not self.executor.free(step):
                return False
            lock = self._lock(step)
            if lock is None:
                return False
            self._locks[step.key] = lock
            verdict = judge(step, found(step, self.store))  # another process may have built it meanwhile
            if verdict.state == "fresh":
                return self._done(step, schedule, "fresh")
            if how := self._without_running(step, verdict):
                return self._done(step, schedule, how)
            self._start(step, verdict)
            schedule.started(step)
        except (TrtbuildError, OSError) as error:
            self._fail(step, schedule, as_error(error, self.store.root))
        return True

    def _without_running(self, step: Step, verdict: Judgement) -> str:
        """Restore from the record, a remote or the run cache; says how, or nothing."""
        if verdict.state == "remote":
            if unpulled_sources(step, self.store):
                self._inputs(step)
            self._pull_records()
            verdict = judge(step, found(step, self.store))
            if verdict.state == "fresh":
                return "pulled"
        record = self.store.record(step)
        if record is not None and verdict.restorable:
            self.store.restore(step, record)
            return "restored"
        digests = self._inputs(step)
        remembered = self.store.remembered(step, digests)
        if remembered is not None:
            self.store.restore(step, remembered)
            return "restored"
        self._digests[step.key] = digests
        return ""

    def _inputs(self, step: Step) -> Mapping[str, Digest]:
        """Digests of all inputs; source files that are not there are pulled first."""
        for tracked in unpulled_sources(step, self.store):
            target = self.store.pull_target(tracked)
            try:
                self._pull([target])
            except RemoteError as error:
                what = f"{target} is not here, and {error.what}"
                raise RemoteError(what, where=tracking.MODELS_FILE, hint="check the DVC remote") from None
        digests = self.store.input_digests(step)
        if digests is None:
            missing = next(s.path for s in step.inputs.values() if not (self.store.root / s.path).exists())
            hint = "the config names it; check the path"
            raise ConfigError("no such file or folder", where=missing, hint=hint)
        return digests

    def _pull_records(self) -> None:
        """Pull the recorded outputs of all steps that lack some, in one go; what no remote has is built again."""
        lacking = [s for s in self._steps if judge(s, found(s, self.store)).state == "remote"]
        with contextlib.suppress(RemoteError):
            self._pull([f"{step.folder}/{tracking.STAGE_FILE}" for step in lacking])

    def _pull(self, targets: list[str]) -> None:
        """``dvc pull``, each target once in a build."""
        wanted = [target for target in targets if target not in self._pulled]
        if not wanted:
            return
        self._pulled.update(wanted)
        self.status.note(f"pull   {', '.join(wanted) if len(wanted) < 3 else f'{len(wanted)} recorded steps'}")
        tracking.run_dvc(self.store.root, ["pull", *wanted])

    def _start(self, step: Step, verdict: Judgement) -> None:
        interpreter = self.interpreter(step)
        sandbox = self.store.workspace.work / f"{os.getpid()}.{step.model}.{Path(step.folder).name}"
        inputs = {name: self.store.root / source.path for name, source in step.inputs.items()}
        prepare(sandbox, step.kind, step.params, inputs, self.store.root)
        self.status.started(step, verdict.why)
        self.executor.start(step, sandbox, interpreter)

    def _conclude(self, ended: Ended, schedule: Schedule) -> None:
        step, sandbox = ended.step, ended.sandbox
        try:
            result = read_result(sandbox)
            if result is None:
                raise died(step, ended)
            if result.failure is not None:
                raise failure(step, result.failure)
            missing = [out.name for out in step.outs if not (sandbox / "out" / out.name).is_file()]
            if missing:
                raise TrtbuildError(f"{step.kind} made no {missing[0]}", where=step.folder)
            if self.store.input_digests(step) != self._digests[step.key]:
                raise ConfigError("an input changed while the step ran", where=step.folder, hint="run it again")
            self.store.publish(step, self._digests[step.key], sandbox / "out")
        except (TrtbuildError, OSError) as error:
            log = keep_log(self.store.workspace.private / "failed", step, sandbox)
            raised = as_error(error, self.store.root)
            raised.details = (*raised.details, f"log: {log}") if log else raised.details
            self._fail(step, schedule, raised)
        else:
            self._done(step, schedule, "ran")
        finally:
            shutil.rmtree(sandbox, ignore_errors=True)

    def _done(self, step: Step, schedule: Schedule, how: str) -> bool:
        self._release(step)
        self.outcome.steps[step.key] = how
        schedule.finished(step, ok=True)
        self.status.finished(step, how)
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

    def _lock(self, step: Step) -> Any | None:
        """The step's lock among all processes of this host; the kernel frees it when its holder dies."""
        from filelock import FileLock, Timeout

        folder = self.store.workspace.private / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{step.key[:16]}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _release(self, step: Step) -> None:
        lock = self._locks.pop(step.key, None)
        if lock is not None:
            lock.release()


def prepare(sandbox: Path, kind: str, params: Mapping[str, Any], inputs: Mapping[str, Path], root: Path) -> None:
    """Make a step's sandbox: ``in/`` links to the inputs, ``out/`` is written to, job.json has relative paths."""
    shutil.rmtree(sandbox, ignore_errors=True)
    (sandbox / "out").mkdir(parents=True)
    (sandbox / "in").mkdir()
    links = {}
    for name, path in inputs.items():
        links[name] = f"in/{name}{path.suffix}"  # Keras tells its formats apart by suffix
        (sandbox / links[name]).symlink_to(path)
    (sandbox / "in" / "workspace").symlink_to(root)
    write_job(sandbox, Job(kind, params, links, "out", "in/workspace"))


def failure(step: Step, raw: Any) -> TrtbuildError:
    """A worker's error as one of ours; a foreign exception class is a bug in trtbuild, with its traceback."""
    cls = error_named(raw.error)
    if cls is TrtbuildError and raw.error != "TrtbuildError":
        last = tuple(line for line in raw.traceback.strip().splitlines()[-6:])
        return TrtbuildError(f"{raw.error} in {step.kind}: {raw.what}", where=step.folder, details=last)
    return cls(raw.what, where=raw.where or step.folder, hint=raw.hint, details=raw.details)


def died(step: Step, ended: Ended) -> TrtbuildError:
    """A worker that gave no answer: full disk, out of memory, or a crash of what it called."""
    free = shutil.disk_usage(ended.sandbox).free
    if free < _FULL_DISK_BYTES:
        return PlaceError(
            "no space left on the device", where=str(ended.sandbox.parent), hint="free some space and run again"
        )
    with contextlib.suppress(OSError):
        doing = (ended.sandbox / "stage").read_text("utf-8").strip()
        return _death(step, ended, f" while {doing}" if doing else "")
    return _death(step, ended, "")


def _death(step: Step, ended: Ended, doing: str) -> WorkerDied:
    code = ended.returncode
    if code < 0:
        name = signal.Signals(-code).name
        hint = "out of memory?" if name == "SIGKILL" else "the tool below crashed on this model; see the log"
        return WorkerDied(f"died: {name}{doing}", where=step.folder, hint=hint)
    return WorkerDied(f"ended with status {code} and no answer{doing}", where=step.folder, hint="see the log")


def as_error(error: TrtbuildError | OSError, root: Path) -> TrtbuildError:
    """Operating system errors (full disk, read-only file system, permission) as an environment error."""
    if isinstance(error, TrtbuildError):
        return error
    return PlaceError(error.strerror or str(error), where=str(error.filename or root))


def keep_log(folder: Path, step: Step, sandbox: Path) -> str:
    """A failed step's job and log stay, until the step fails again; the path, or nothing when it cannot be kept."""
    target = folder / f"{step.model}.{Path(step.folder).name}"
    try:
        shutil.rmtree(target, ignore_errors=True)  # nothing of an older failure stays beside a newer one
        target.mkdir(parents=True, exist_ok=True)
        for name in ("job.json", "log.txt", "result.json", "out/build.log"):
            if (sandbox / name).exists():
                shutil.copyfile(sandbox / name, target / Path(name).name)
        return str(target / "log.txt")
    except OSError:
        return ""


def _sweep(work: Path, *, mine: bool = False) -> None:
    """Remove sandboxes of drivers that are gone, or with ``mine`` this driver's own."""
    for sandbox in _sandboxes(work):
        pid = sandbox.name.partition(".")[0]
        own = pid == str(os.getpid())
        if own if mine else pid.isdigit() and not own and not _alive(int(pid)):
            shutil.rmtree(sandbox, ignore_errors=True)


def _sandboxes(work: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from work.iterdir()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
