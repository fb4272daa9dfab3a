"""Tests of what a build takes from the default remote."""

from __future__ import annotations

import shutil

import pytest

from tests.support.fakes import FakeExecutor, RecordingStatus, build, ended, plan, step
from tests.support.transfers import copy_records, move, remote_object, states
from trtbuild.core.step import Out, Step
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.store import Store


@pytest.mark.parametrize("records", [True, False])
def test_a_build_takes_from_the_default_remote_what_others_made(
    pushed: Store, there: Store, steps: list[Step], records: bool
) -> None:
    """By record, or by key from the remote's run cache; nothing runs."""
    if records:
        copy_records(pushed, there)

    assert ended(build(there, plan(steps[-1])), *steps) == ["pulled"] * 3


def test_a_metric_that_git_brought_need_not_be_on_the_remote(here: Store, there: Store) -> None:
    """Plain ``dvc push`` leaves it out; neither pull nor build runs the step for it."""
    one = step("a", files=("models/source",), outs=(Out("out.bin"), Out("metric.json", cache=False)))
    work = {"a": lambda job: [job.output(name).write_text(name, "utf-8") for name in ("out.bin", "metric.json")]}
    build(here, plan(one), FakeExecutor(work))
    move(push, here, [one])
    remote_object(here, one, "metric.json").unlink()
    copy_records(here, there)
    shutil.copy(here.root / one.folder / "metric.json", there.root / one.folder)

    assert ended(build(there, plan(one)), one) == ["pulled"]
    (there.root / one.folder / "out.bin").unlink()
    assert states(move(pull, there, [one])) == ["here"]
    assert (there.root / one.folder / "out.bin").is_file()


@pytest.mark.parametrize("records", [True, False])
def test_a_build_refuses_a_changed_object(pushed: Store, there: Store, steps: list[Step], records: bool) -> None:
    """It is an error by name, not a reason to build in silence."""
    if records:
        copy_records(pushed, there)
    bad = remote_object(pushed, steps[1], "engine.plan")
    bad.chmod(0o644)
    bad.write_bytes(b"forged")
    outcome = build(there, plan(steps[-1]))

    assert ended(outcome, *steps) == ["pulled", "failed", "blocked"]
    assert "engine.plan is not what its record says" in str(outcome.failures[steps[1].key])
    assert not (there.root / steps[1].folder / "engine.plan").exists()


def test_a_build_goes_on_without_a_remote_that_cannot_be_used(there: Store, steps: list[Step]) -> None:
    """Said once."""
    config = there.root / ".dvc" / "config"
    config.write_text(config.read_text("utf-8").replace("remote = r", "remote = gone"), "utf-8")
    status = RecordingStatus()

    assert ended(build(there, plan(steps[0]), status=status), steps[0]) == ["ran"]
    assert [line for line in status.lines if "there is no remote 'gone'" in line and "continuing without" in line]
    assert sum("note" in line for line in status.lines) == 1
