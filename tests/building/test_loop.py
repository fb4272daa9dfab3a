"""Tests of the build loop, with a fake executor: order, failures, locks, early cutoff."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import (
    FakeExecutor,
    RecordingStatus,
    build,
    concatenate,
    digests,
    ended,
    make,
    plan,
    step,
)
from trtbuild.base.errors import (
    ConfigError,
    EngineError,
    ToolchainError,
)
from trtbuild.building.loop import Builder
from trtbuild.core.job import Job
from trtbuild.core.record import action_key
from trtbuild.core.step import Out, Step
from trtbuild.core.verdict import verdict_document
from trtbuild.store import Store

pytestmark = pytest.mark.usefixtures("source")


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


def test_a_verdict_is_told_at_once(store: Store) -> None:
    """Before latency is measured, also that of another variant; a fresh one is told at the end only."""

    def judge(job: Job) -> None:
        check = {"observed": 0.0, "limit": 0, "passed": job.params["good"], "share_of_limit": None}
        found = verdict_document({"y: no NaN": check}, judging=1, why_not="", further=0, not_judged={})
        job.write_json("verdict.json", {**found, "warnings": []})

    source = step("a", files=("models/source",))
    measure = replace(step("latency", source), slot="exclusive")
    judged = [step("validate", source, outs=(Out("verdict.json"),), good=good) for good in (True, False)]
    first, second = RecordingStatus(), RecordingStatus()
    for status in (first, second):
        build(store, plan(measure, *judged), FakeExecutor({"validate": judge}), status)

    assert first.lines[2:] == [
        "started validate", "started validate", "ran validate", "verdict m/validate: PASS (1 of 1 checks)",
        "ran validate", "verdict m/validate: FAIL (0 of 1 checks)", "started latency", "ran latency",
    ]  # fmt: skip
    assert not any(line.startswith("verdict") for line in second.lines)


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

    assert "changed while a step was reading it" in outcome.failures[steps[0].key].what
    assert ended(build(store, plan(steps[0])), steps[0]) == ["ran"]


def test_an_upstream_output_edited_meanwhile_is_noticed_too(store: Store, steps: list[Step]) -> None:
    """Its record still says the old bytes, but they are not what was read."""
    build(store, plan(steps[0]))

    def edited(job: Job) -> None:
        concatenate(job)
        (store.root / steps[0].folder / "out.bin").write_text("tampered", "utf-8")

    outcome = build(store, plan(steps[1]), FakeExecutor({"b": edited}))

    assert "changed while a step was reading it" in outcome.failures[steps[1].key].what


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
    folder = store.workspace.cache / "locks"
    folder.mkdir(parents=True)
    action = action_key(steps[0], digests(store.root, steps[0]))
    argv = [sys.executable, "-c", LOCK, str(folder / f"{action[:24]}.lock")]
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


def test_no_interpreter_is_a_failed_step(store: Store, steps: list[Step]) -> None:
    """A toolchain that is not here fails the steps that need it, and no others."""

    def interpreter(step: Step) -> Path:
        if step.kind == "b":
            raise ToolchainError("not installed")
        return Path("python")

    outcome = Builder(Store(store.workspace), FakeExecutor(), interpreter, RecordingStatus()).build(plan(steps[-1]))

    assert ended(outcome, *steps) == ["ran", "failed", "blocked"]
    assert outcome.failures[steps[1].key].exit_status == 3
