"""Tests of a step's sandbox: what is put in, and what its end means."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fakes import (
    FakeExecutor,
    build,
    ended,
    plan,
    step,
)
from trtbuild.base.errors import (
    DataError,
    PlaceError,
    TrtbuildError,
    WorkerDied,
)
from trtbuild.building.sandbox import as_error
from trtbuild.core.job import Failure, Job, prepare, read_job
from trtbuild.core.step import Step
from trtbuild.store import Store
from trtbuild.workers.child import error_of
from trtbuild.workers.executors import Completion

pytestmark = pytest.mark.usefixtures("source")


@pytest.mark.parametrize(
    ("raised", "status"), [("DataError", 2), ("PlaceError", 3), ("EngineError", 4), ("KeyError", 70)]
)
def test_each_class_of_error_has_its_exit_status(raised: str, status: int) -> None:
    """A class that is not ours is a bug in trtbuild, with the end of its traceback."""
    error = error_of(Failure(raised, "what", traceback="Traceback\n  line 1\nKeyError: what"), "a")

    assert error.exit_status == status
    assert (type(error) is TrtbuildError) == ("line 1" in " ".join(error.details))


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


def test_sandboxes_of_dead_drivers_are_swept(store: Store, steps: list[Step]) -> None:
    """What a killed driver left is removed; what a living one uses, and what is not ours, is not."""
    work = store.workspace.work
    lines = "import os, sys, time; from pathlib import Path; from trtbuild.base.claim import claimed\n"
    lines += "with claimed(Path(sys.argv[1]), 'build') as made: print(made.name, flush=True); input()"
    drivers = [subprocess.Popen([sys.executable, "-c", lines, str(work)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True) for _ in range(2)]  # fmt: skip
    dead, alive = (driver.stdout.readline().strip() for driver in drivers if driver.stdout)
    (work / "notes").mkdir()
    drivers[0].kill()
    drivers[0].wait()
    assert (work / dead).is_dir()
    build(store, plan(steps[0]))

    assert sorted(path.name for path in work.iterdir()) == sorted(["notes", alive, f"{alive}.lock"])
    drivers[1].communicate("\n")
    assert [path.name for path in work.iterdir()] == ["notes"]


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


def test_bad_data_is_the_users_to_mend(store: Store, steps: list[Step]) -> None:
    """A DataError of a worker arrives with its place."""

    def no_data(job: Job) -> None:
        raise DataError("no array 'image'", where="models/data.npz")

    (error,) = build(store, plan(steps[0]), FakeExecutor({"a": no_data})).failures.values()

    assert (str(error), error.exit_status) == ("models/data.npz: no array 'image'", 2)


def test_values_from_the_environment_do_not_stay_in_kept_logs(
    store: Store, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by a config or on the command line; as text, and as JSON has it."""
    monkeypatch.setenv("A_TOKEN", 'top"secret')
    monkeypatch.setenv("ANOTHER", "hush-hush")
    monkeypatch.setenv("SHORT", "1")
    monkeypatch.setattr(sys, "argv", ["trtbuild", "model.x=${oc.env:ANOTHER}"])
    (store.workspace.conf / "model").mkdir(parents=True)
    (store.workspace.conf / "model" / "m.yaml").write_text("a: ${oc.env:A_TOKEN}${oc.env:SHORT,2}\n", "utf-8")

    def leak(job: Job) -> None:
        said = f"{os.environ['A_TOKEN']} {json.dumps(os.environ['A_TOKEN'])} {os.environ['ANOTHER']} 1 kept"
        Path(job.out).with_name("log.txt").write_text(said, "utf-8")
        raise DataError("no")

    build(store, plan(steps[0]), FakeExecutor({"a": leak}))
    (log,) = (store.workspace.private / "failed").glob("*/log.txt")

    assert log.read_text("utf-8") == '*** "***" *** 1 kept'
