"""Small stand-ins: steps of one output, an executor that runs functions, a status that remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trtbuild.base.errors import TrtbuildError
from trtbuild.building.loop import Builder
from trtbuild.building.states import Outcome
from trtbuild.core.job import Failure, Job, Result, read_job, write_result
from trtbuild.core.plan import Plan, post_order
from trtbuild.core.record import Digest
from trtbuild.core.schedule import Resources, fits
from trtbuild.core.step import File, Input, Out, Step
from trtbuild.store import Store
from trtbuild.store.digests import file_md5
from trtbuild.workers.executors import Completion, Interpreter

PYTHON = Path("python")  # the fake executor starts no interpreter


def step(
    kind: str, *upstream: Step, files: tuple[str, ...] = (), outs: tuple[Out, ...] = (Out("out.bin"),), **params: object
) -> Step:
    """A step of model ``m`` that reads the first output of each upstream step, and source files."""
    inputs: dict[str, Input] = {up.kind: up.out(up.outs[0].name) for up in upstream}
    inputs |= {f"file{i}": File(path) for i, path in enumerate(files)}
    return Step(kind, 1, "m", "", params, inputs, outs)


def chain(*kinds: str) -> list[Step]:
    """Steps in a row; the first reads models/source."""
    made = [step(kinds[0], files=("models/source",))]
    for kind in kinds[1:]:
        made.append(step(kind, made[-1]))
    return made


def plan(*wanted: Step) -> Plan:
    return Plan(post_order(wanted), {"v": {s.kind: s for s in wanted}})


def make(folder: Path, step: Step, content: str = "made") -> Path:
    """The outputs of a step, as a worker would leave them."""
    folder.mkdir(parents=True, exist_ok=True)
    for out in step.outs:
        (folder / out.name).write_text(f"{content} {out.name}", "utf-8")
    return folder


def digests(root: Path, step: Step) -> dict[str, Digest]:
    paths = [source.path for source in step.inputs.values()]
    return {path: Digest(file_md5(root / path), (root / path).stat().st_size) for path in paths}


Work = Callable[[Job], None]


def concatenate(job: Job) -> None:
    """What a fake step makes: its inputs' bytes, so that content follows content."""
    text = "".join(Path(path).read_text("utf-8") for _, path in sorted(job.inputs.items()))
    job.output("out.bin").write_text(f"{job.kind}({text})", "utf-8")


@dataclass
class FakeExecutor:
    """Runs one function for each kind; an int in its place is the status of a process that gave no answer."""

    work: Mapping[str, Work | int] = field(default_factory=dict)
    slots: int = 2
    ran: list[str] = field(default_factory=list)
    stopped: bool = False
    _started: list[tuple[Step, Path]] = field(default_factory=list)

    def free(self, step: Step) -> bool:
        return fits(step, [running for running, _ in self._started], Resources(self.slots, 10**12))

    def start(self, step: Step, sandbox: Path, interpreter: Interpreter) -> bool:
        interpreter(step)
        self._started.append((step, sandbox))
        return True

    def wait(self, timeout_s: float | None) -> Completion | None:
        step, sandbox = self._started.pop(0)
        self.ran.append(step.kind)
        work = self.work.get(step.kind, concatenate)
        if isinstance(work, int):
            return Completion(step, sandbox, work)
        try:
            work(read_job(sandbox))
            result = Result(True)
        except TrtbuildError as error:
            result = Result(False, Failure(type(error).__name__, error.what, error.where, error.hint, error.details))
        write_result(sandbox, result)
        return Completion(step, sandbox, 0)

    def stop(self) -> None:
        self.stopped = True


@dataclass
class RecordingStatus:
    """Every event as one short line."""

    lines: list[str] = field(default_factory=list)

    def started(self, step: Step, why: str) -> None:
        self.lines.append(f"started {step.kind}")

    def finished(self, step: Step, how: str) -> None:
        self.lines.append(f"{how} {step.kind}")

    def failed(self, step: Step, error: TrtbuildError) -> None:
        self.lines.append(f"failed {step.kind}")

    def blocked(self, steps: Sequence[Step]) -> None:
        self.lines.append(f"blocked {' '.join(step.kind for step in steps)}")

    def note(self, line: str) -> None:
        self.lines.append(line)

    def tick(self) -> None: ...

    def close(self) -> None:
        self.lines.append("closed")


def build(
    store: Store, plan: Plan, executor: FakeExecutor | None = None, status: RecordingStatus | None = None
) -> Outcome:
    """One build with fakes, and with fresh eyes: a new store has read no record yet."""
    builder = Builder(
        Store(store.workspace), executor or FakeExecutor(), lambda step: PYTHON, status or RecordingStatus()
    )
    return builder.build(plan)


def ended(outcome: Outcome, *steps: Step) -> list[str]:
    return [outcome.steps[step.key] for step in steps]
