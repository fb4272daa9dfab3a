"""Tests of pull: what comes, what is refused, and what is left out."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from tests.support.fakes import build, ended, plan, step
from tests.support.transfers import copy_records, move, remote_object, states
from trtbuild.base.errors import RemoteError
from trtbuild.core.step import Step
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.remote.transferresult import lines
from trtbuild.store import Store


@pytest.mark.parametrize("records", [True, False])
def test_another_machine_gets_it_by_record_or_by_run_cache(
    pushed: Store, there: Store, steps: list[Step], records: bool
) -> None:
    """And a build there runs nothing."""
    if records:
        copy_records(pushed, there)
    result = move(pull, there, steps)

    assert (states(result), result.objects) == (["moved"] * 3, 4)
    assert ended(build(there, plan(steps[-1])), *steps) == ["fresh"] * 3


def test_a_second_push_or_pull_moves_nothing(pushed: Store, there: Store, steps: list[Step]) -> None:
    """What is there already is neither sent nor fetched."""
    move(pull, there, steps)

    assert [states(move(verb, store, steps)) for verb, store in ((push, pushed), (pull, there))] == [["here"] * 3] * 2


@pytest.mark.parametrize("records", [True, False])
def test_a_changed_object_is_refused_by_name_and_leaves_nothing(
    pushed: Store, there: Store, steps: list[Step], records: bool
) -> None:
    """Neither in the cache nor in the workspace; the other steps come."""
    if records:
        copy_records(pushed, there)
    bad = remote_object(pushed, steps[1], "engine.plan")
    bad.chmod(0o644)
    bad.write_bytes(b"forged")
    result = move(pull, there, steps)

    assert states(result) == ["moved", "failed", "moved"]
    assert f"{steps[1].folder}/engine.plan is not what its record says (md5)" in str(result.failures[0])
    assert not there.objects.path(bad.parent.name + bad.name).exists()
    assert not (there.root / steps[1].folder / "engine.plan").exists()
    assert b"forged" not in [path.read_bytes() for path in there.root.rglob("*") if path.is_file()]


def test_an_engine_that_is_not_its_passports_is_refused(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Also when record and md5 were changed with it; what was made from the right one no longer fits."""
    copy_records(pushed, there)
    good, forged = remote_object(pushed, steps[1], "engine.plan"), hashlib.md5(b"forged").hexdigest()
    (good.parents[1] / forged[:2]).mkdir(exist_ok=True)
    (good.parents[1] / forged[:2] / forged[2:]).write_bytes(b"forged")
    lock = there.root / steps[1].folder / "dvc.lock"
    lock.write_text(lock.read_text("utf-8").replace(good.parent.name + good.name, forged), "utf-8")
    result = move(pull, there, steps)

    assert states(result) == ["moved", "failed", "failed"]
    assert "engine.plan is not what its passport.json says (sha256)" in str(result.failures[0])
    assert not there.objects.path(forged).exists()
    assert not (there.root / steps[1].folder / "engine.plan").exists()


def test_a_record_cannot_name_a_file_outside_the_remote(
    pushed: Store, there: Store, steps: list[Step], capsys: pytest.CaptureFixture[str]
) -> None:
    """A digest becomes a path, here and there."""
    copy_records(pushed, there)
    (there.root.parent / "remote" / "files" / "md5" / "..").resolve().joinpath("x").write_bytes(b"x")
    lock = there.root / steps[0].folder / "dvc.lock"
    good = remote_object(pushed, steps[0], "out.bin")
    lock.write_text(lock.read_text("utf-8").replace(good.parent.name + good.name, "../../../../x"), "utf-8")
    result = move(pull, there, steps)

    assert states(result) == ["moved"] * 3  # the record is void: the run cache knows the step
    assert "dvc.lock: not a record of a: '../../../../x' is not an md5" in capsys.readouterr().err
    assert (there.root / steps[0].folder / "out.bin").read_bytes() != b"x"
    assert [path for path in there.root.parent.rglob("x") if path.is_file()] == [
        there.root.parent / "remote" / "files" / "x"
    ]


def test_a_changed_run_cache_entry_is_refused_by_name(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Its name is its digest."""
    for entry in (there.root.parent / "remote" / "runs").glob("*/*/*"):
        entry.write_bytes(entry.read_bytes().replace(b"path: out.bin", b"path: out.bim"))

    with pytest.raises(RemoteError, match=f"entry .* of {steps[0].folder} is not what its name says"):
        move(pull, there, steps)


def test_a_dangling_run_cache_entry_is_a_miss(pushed: Store, there: Store, steps: list[Step]) -> None:
    """As ``dvc gc`` leaves them; what follows has no known input."""
    remote_object(pushed, steps[1], "engine.plan").unlink()
    result = move(pull, there, steps)

    assert states(result) == ["moved", "failed", "blocked"]
    assert "not in the remote run cache" in str(result.failures[0])
    assert [line for line in lines(result, "pull", ["a", "engine", "c"]) if line == "skip   c"]


def test_a_lost_object_is_named(pushed: Store, there: Store, steps: list[Step]) -> None:
    """The record says it exists; the remote does not have it."""
    copy_records(pushed, there)
    remote_object(pushed, steps[2], "out.bin").unlink()
    result = move(pull, there, steps)

    assert f"{steps[2].folder}/out.bin is not there" in str(result.failures[0])
    assert result.failures[0].exit_status == 3


def test_a_remote_whose_folder_is_gone_says_so(pushed: Store, there: Store, steps: list[Step]) -> None:
    """An absent mount is not an empty remote."""
    copy_records(pushed, there)
    shutil.rmtree(there.root.parent / "remote")

    with pytest.raises(RemoteError, match=r"remote 'r' .*: its folder does not exist"):
        move(pull, there, steps)


def test_what_measures_another_device_is_left_out(pushed: Store, there: Store, steps: list[Step]) -> None:
    """With what reads it; the rest comes, and that is no failure."""
    latency = step("latency", steps[0], device={"cpu": "another"})
    result = move(pull, there, [*steps, latency, step("report", latency)])

    assert states(result) == ["moved"] * 3 + ["left"] * 2
    assert [entry.why for entry in result.entries[3:]] == [
        "it measures the device it runs on, and none was measured that is this one",
        "it reads latency, which is not there",
    ]
    assert not result.failures


def test_what_was_measured_elsewhere_comes_beside(here: Store, there: Store, steps: list[Step]) -> None:
    """By the records of other devices in git; here it stays unmeasured."""
    measured, unmeasured = (step("latency", steps[0], device={"cpu": name, "cores": 2}) for name in ("X", "Y"))
    report, own_report = step("report", measured), step("report", unmeasured)
    build(here, plan(report))
    move(push, here, [steps[0], measured, report])
    copy_records(here, there)
    result = move(pull, there, [steps[0], unmeasured, own_report])

    assert states(result) == ["moved", "left", "left", "moved", "moved"]
    assert [entry.step.folder for entry in result.entries[3:]] == [measured.folder, report.folder]
    assert result.entries[4].why == "measured on X, 2 cores"
    assert (there.root / report.folder / "out.bin").is_file()
    assert not (there.root / own_report.folder).exists()


def test_what_another_gpu_executed_comes_beside(here: Store, there: Store, steps: list[Step]) -> None:
    """An inference names the GPU alone, a measurement the CPU as well: both are found, each by its own part."""
    gpu, none = {"gpu": "a GPU", "driver": "1"}, {"gpu": None, "driver": None}
    infer, own_infer = (step("infer", steps[0], device={"gpu": found["gpu"]}) for found in (gpu, none))
    latency, own_latency = (
        step("latency", steps[0], device={"cpu": "X", "cores": 2, **found}) for found in (gpu, none)
    )
    build(here, plan(infer, latency))
    move(push, here, [steps[0], infer, latency])
    copy_records(here, there)
    result = move(pull, there, [steps[0], own_infer, own_latency])

    assert states(result) == ["moved", "left", "left", "moved", "moved"]
    assert {entry.why for entry in result.entries[3:]} == {"measured on a GPU", "measured on a GPU, X, 2 cores"}
