"""Tests of the build loop, with a fake executor: order, failures, locks, early cutoff."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import (
    FakeExecutor,
    RecordingStatus,
    build,
    chain,
    concatenate,
    digests,
    ended,
    make,
    plan,
    step,
)
from trtbuild.base.errors import (
    ConfigError,
    DataError,
    EngineError,
    PlaceError,
    ToolchainError,
    TrtbuildError,
    WorkerDied,
)
from trtbuild.building.loop import Builder
from trtbuild.building.observation import judge_plan
from trtbuild.building.sandbox import as_error, prepare
from trtbuild.core.job import Failure, Job, read_job
from trtbuild.core.step import Step
from trtbuild.store import Store
from trtbuild.workers.child import error_of
from trtbuild.workers.executors import Completion


@pytest.fixture(autouse=True)
def source(store: Store) -> Path:
    """The file that every chain of steps begins with."""
    path = store.root / "models" / "source"
    path.write_text("1", "utf-8")
    return path


@pytest.fixture
def steps() -> list[Step]:
    return chain("a", "b", "c")


def text(store: Store, step: Step) -> str:
    return (store.root / step.folder / "out.bin").read_text("utf-8")


def say(content: str) -> Any:
    """A step's work: the same words, whatever it reads."""
    return lambda job: job.output("out.bin").write_text(content, "utf-8")


def refuse(job: Job) -> None:
    raise EngineError("no such layer", hint="try another", details=("node a",))


def test_steps_run_in_order_and_only_once(store: Store, steps: list[Step]) -> None:
    """A first build runs all of them, a second one none."""
    executor = FakeExecutor()
    outcomes = [ended(build(store, plan(steps[-1]), executor), *steps) for _ in range(2)]

    assert outcomes == [["ran"] * 3, ["fresh"] * 3]
    assert executor.ran == ["a", "b", "c"]
    assert text(store, steps[-1]) == "c(b(a(1)))"


def test_no_more_steps_run_at_once_than_there_are_slots(store: Store) -> None:
    """A step waits for a free slot, and starts when another ends."""
    status = RecordingStatus()
    wanted = [step(kind, files=("models/source",)) for kind in "abc"]
    build(store, plan(*wanted), FakeExecutor(slots=2), status)

    assert status.lines == ["started a", "started b", "ran a", "started c", "ran b", "ran c"]


def test_a_failure_blocks_only_what_reads_from_it(store: Store, steps: list[Step]) -> None:
    """Everything else is built."""
    beside = step("beside", steps[0])
    status = RecordingStatus()
    outcome = build(store, plan(steps[-1], beside), FakeExecutor({"b": refuse}), status)

    assert ended(outcome, *steps, beside) == ["ran", "failed", "blocked", "ran"]
    assert {"failed b", "blocked c", "ran beside"} <= set(status.lines)


def test_a_failure_is_not_cached(store: Store, steps: list[Step]) -> None:
    """The next build tries again, with what was finished before."""
    build(store, plan(steps[-1]), FakeExecutor({"b": refuse}))

    assert ended(build(store, plan(steps[-1])), *steps) == ["fresh", "ran", "ran"]


def test_a_workers_error_keeps_its_class_and_words(store: Store, steps: list[Step]) -> None:
    """What, hint and details come back; the log is named, and stays."""
    (error,) = build(store, plan(steps[0]), FakeExecutor({"a": refuse})).failures.values()

    assert (type(error), error.exit_status, error.what, error.hint) == (EngineError, 4, "no such layer", "try another")
    assert error.details[0] == "node a"
    log = Path(error.details[1].removeprefix("log: "))
    assert json.loads((log.parent / "job.json").read_text("utf-8"))["kind"] == "a"


@pytest.mark.parametrize(
    ("raised", "status"), [("DataError", 2), ("PlaceError", 3), ("EngineError", 4), ("KeyError", 70)]
)
def test_each_class_of_error_has_its_exit_status(raised: str, status: int) -> None:
    """A class that is not ours is a bug in trtbuild, with the end of its traceback."""
    error = error_of(Failure(raised, "what", traceback="Traceback\n  line 1\nKeyError: what"), "a")

    assert error.exit_status == status
    assert (type(error) is TrtbuildError) == ("line 1" in " ".join(error.details))


def test_an_upstream_rebuilt_to_the_same_bytes_changes_nothing_downstream(
    store: Store, steps: list[Step], source: Path
) -> None:
    """Early cutoff: what follows is judged by content, not by what ran."""
    same = FakeExecutor({"a": say("always")})
    build(store, plan(steps[-1]), same)
    source.write_text("2", "utf-8")

    assert ended(build(store, plan(steps[-1]), same), *steps) == ["ran", "fresh", "fresh"]


def test_a_changed_source_rebuilds_what_changes(store: Store, steps: list[Step], source: Path) -> None:
    """New bytes go all the way down; the old bytes come back from the run cache."""
    build(store, plan(steps[-1]))
    source.write_text("2", "utf-8")

    assert ended(build(store, plan(steps[-1])), *steps) == ["ran"] * 3
    source.write_text("1", "utf-8")
    assert ended(build(store, plan(steps[-1])), *steps) == ["restored"] * 3
    assert text(store, steps[-1]) == "c(b(a(1)))"


@pytest.mark.parametrize("damage", ["delete", "tamper", "forget"])
def test_lost_or_tampered_outputs_are_restored(store: Store, steps: list[Step], damage: str) -> None:
    """Nothing runs for an output that the cache still has."""
    build(store, plan(steps[-1]))
    folder = store.root / steps[1].folder
    if damage == "tamper":
        (folder / "out.bin").write_text("c(b(a(2)))", "utf-8")
    else:
        (folder / {"delete": "out.bin", "forget": "dvc.lock"}[damage]).unlink()

    assert ended(build(store, plan(steps[-1])), *steps) == ["fresh", "restored", "fresh"]
    assert text(store, steps[1]) == "b(a(1))"


def test_a_plan_says_what_a_build_will_do(store: Store, steps: list[Step], source: Path) -> None:
    """Before, after, and after a change of the source."""
    before = [verdict.state for _, verdict in judge_plan(plan(steps[-1]), store)]
    build(store, plan(steps[-1]))
    after = [verdict.state for _, verdict in judge_plan(plan(steps[-1]), Store(store.workspace))]
    source.write_text("2", "utf-8")
    changed = [(verdict.state, verdict.why) for _, verdict in judge_plan(plan(steps[-1]), Store(store.workspace))]

    assert (before, after) == (["missing"] * 3, ["fresh"] * 3)
    assert changed == [("stale", "input changed: models/source"), ("stale", "waits for a"), ("stale", "waits for b")]


def test_a_source_that_is_nowhere_is_a_config_error(store: Store, steps: list[Step], source: Path) -> None:
    """A path that models.dvc does not know cannot be pulled."""
    source.unlink()
    (error,) = build(store, plan(steps[-1])).failures.values()

    assert (type(error), error.where) == (ConfigError, "models/source")


def test_an_input_that_changes_meanwhile_is_noticed(store: Store, steps: list[Step], source: Path) -> None:
    """A result of two halves is never recorded."""

    def edited(job: Job) -> None:
        concatenate(job)
        source.write_text("22", "utf-8")

    outcome = build(store, plan(steps[0]), FakeExecutor({"a": edited}))

    assert "it changed while a step read it" in outcome.failures[steps[0].key].what
    assert ended(build(store, plan(steps[0])), steps[0]) == ["ran"]


def test_an_upstream_output_edited_meanwhile_is_noticed_too(store: Store, steps: list[Step]) -> None:
    """Its record still says the old bytes, but they are not what was read."""
    build(store, plan(steps[0]))

    def edited(job: Job) -> None:
        concatenate(job)
        (store.root / steps[0].folder / "out.bin").write_text("tampered", "utf-8")

    outcome = build(store, plan(steps[1]), FakeExecutor({"b": edited}))

    assert "it changed while a step read it" in outcome.failures[steps[1].key].what


def test_a_step_that_makes_no_output_is_a_bug(store: Store, steps: list[Step]) -> None:
    """A worker that claims success and leaves nothing is caught."""
    outcome = build(store, plan(steps[0]), FakeExecutor({"a": lambda job: None}))

    assert (outcome.failures[steps[0].key].exit_status, outcome.failures[steps[0].key].what) == (
        70,
        "a did not write out.bin",
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-signal.SIGSEGV, "died of SIGSEGV"),
        (-signal.SIGKILL, "died of SIGKILL"),
        (1, "ended with status 1 and no answer"),
    ],
)
def test_a_worker_that_dies_is_a_result(store: Store, steps: list[Step], code: int, said: str) -> None:
    """A signal or a silent end becomes WorkerDied, and the rest goes on."""
    beside = step("beside", files=("models/source",))
    outcome = build(store, plan(steps[0], beside), FakeExecutor({"a": code}))

    assert isinstance(outcome.failures[steps[0].key], WorkerDied)
    assert outcome.failures[steps[0].key].what == said
    assert ended(outcome, beside) == ["ran"]


def test_a_death_says_what_was_being_done(store: Store, steps: list[Step]) -> None:
    """The worker's last stage is in the message."""

    class Segfault(FakeExecutor):
        def wait(self, timeout_s: float | None) -> Completion | None:
            step, sandbox = self._started.pop(0)
            read_job(sandbox).stage("parsing")
            return Completion(step, sandbox, -signal.SIGSEGV)

    (error,) = build(store, plan(steps[0]), Segfault()).failures.values()

    assert error.what == "died of SIGSEGV while parsing"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_closed_disk_is_the_places_fault(number: int, tmp_path: Path) -> None:
    """Errors of the operating system have exit status 3, their words, and the file."""
    error = as_error(OSError(number, os.strerror(number), "file"), tmp_path)

    assert (type(error), error.what, error.where) == (PlaceError, os.strerror(number), "file")


def test_a_disk_that_fills_while_publishing_fails_one_step(store: Store, steps: list[Step]) -> None:
    """The build says so and goes on with what it can."""
    (store.root / "build").mkdir()
    (store.root / "build" / "m").write_text("in the way", "utf-8")
    outcome = build(store, plan(steps[-1]))

    assert ended(outcome, *steps) == ["failed", "blocked", "blocked"]
    assert outcome.failures[steps[0].key].exit_status == 3


LOCK = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_step_that_another_process_builds_is_waited_for(
    store: Store, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process holds a step's lock the rest is built; then the step is."""
    monkeypatch.setattr("trtbuild.building.loop._LOCKED_POLL_S", 0.01)
    beside = step("beside", files=("models/source",))
    folder = store.workspace.private / "locks"
    folder.mkdir()
    argv = [sys.executable, "-c", LOCK, str(folder / f"{steps[0].key[:16]}.lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"

        def let_go(job: Job) -> None:
            concatenate(job)
            other.communicate(b"\n")

        executor = FakeExecutor({"beside": let_go})
        outcome = build(store, plan(steps[0], beside), executor)

    assert executor.ran == ["beside", "a"]
    assert ended(outcome, steps[0], beside) == ["ran", "ran"]


def test_what_another_process_built_meanwhile_is_not_built_again(store: Store, steps: list[Step]) -> None:
    """The step is judged again once its lock is held, and a finished result of another process is taken."""

    class Beaten(FakeExecutor):
        def free(self, step: Step) -> bool:
            Store(store.workspace).publish(step, digests(store.root, step), make(store.root / "made", step))
            return super().free(step)

    executor = Beaten()
    outcome = build(store, plan(steps[0]), executor)

    assert executor.ran == []
    assert ended(outcome, steps[0]) == ["fresh"]


def test_an_interrupted_build_stops_its_workers_and_frees_its_locks(store: Store, steps: list[Step]) -> None:
    """Ctrl-C ends everything; what was finished before is kept."""

    def interrupted(job: Job) -> None:
        raise KeyboardInterrupt

    executor = FakeExecutor({"b": interrupted})
    with pytest.raises(KeyboardInterrupt):
        build(store, plan(steps[-1]), executor)

    assert executor.stopped
    assert ended(build(store, plan(steps[-1])), *steps) == ["fresh", "ran", "ran"]


def test_sandboxes_of_dead_drivers_are_swept(store: Store, steps: list[Step]) -> None:
    """What a killed driver left is removed; what a living one uses is not."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = [f"{gone.pid}.m.a", f"{os.getppid()}.m.a", "notes"]
    for name in names:
        (store.workspace.work / name).mkdir()
    build(store, plan(steps[0]))

    assert sorted(path.name for path in store.workspace.work.iterdir()) == sorted(names[1:])


def test_a_sandbox_links_its_inputs_under_their_suffix(store: Store, source: Path) -> None:
    """Keras tells its formats apart by suffix; the job's paths lead to the workspace."""
    model = store.root / "models" / "net.keras"
    model.write_text("net", "utf-8")
    sandbox = store.workspace.work / "sandbox"
    prepare(sandbox, "a", {"x": 1}, {"model": model, "raw": source}, store.root)
    job = read_job(sandbox)

    assert (job.input("model").name, job.input("model").read_text("utf-8")) == ("model.keras", "net")
    assert Path(job.workspace).resolve() == store.root.resolve()
    assert list((sandbox / "out").iterdir()) == []


def test_no_interpreter_is_a_failed_step(store: Store, steps: list[Step]) -> None:
    """A toolchain that is not here fails the steps that need it, and no others."""

    def interpreter(step: Step) -> Path:
        if step.kind == "b":
            raise ToolchainError("not installed")
        return Path("python")

    outcome = Builder(Store(store.workspace), FakeExecutor(), interpreter, RecordingStatus()).build(plan(steps[-1]))

    assert ended(outcome, *steps) == ["ran", "failed", "blocked"]
    assert outcome.failures[steps[1].key].exit_status == 3


def test_bad_data_is_the_users_to_mend(store: Store, steps: list[Step]) -> None:
    """A DataError of a worker arrives with its place."""

    def no_data(job: Job) -> None:
        raise DataError("no array 'image'", where="models/data.npz")

    (error,) = build(store, plan(steps[0]), FakeExecutor({"a": no_data})).failures.values()

    assert (str(error), error.exit_status) == ("models/data.npz: no array 'image'", 2)
