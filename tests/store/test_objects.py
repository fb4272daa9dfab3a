"""Tests of cache objects: one that is damaged is absent everywhere, is named, and is replaced by good bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.damage import (
    DAMAGES,
    Damage,
    flip,
)
from tests.support.fakes import FakeExecutor, RecordingStatus, build, chain, digests, ended, plan
from tests.support.publishing import STEP, published, state_of
from trtbuild.base import shortcut
from trtbuild.building.loop import Builder
from trtbuild.core.step import Step
from trtbuild.store import Store
from trtbuild.store.digests import Digests, file_md5
from trtbuild.store.objects import DamagedObject


@pytest.fixture
def source(store: Store) -> Path:
    path = store.root / "models" / "source"
    path.write_text("1", "utf-8")
    return path


def the_object(store: Store, step: Step) -> Path:
    record = store.record(step)
    assert record is not None
    return store.objects.path(record.outs["out.bin"].md5)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_made_again_and_replaced(store: Store, source: Path, damage: Damage) -> None:
    """It is not restored, it is named in one line and moved aside, and the next build has good bytes to restore."""
    (one,) = chain("a")
    build(store, plan(one))
    good = (store.root / one.folder / "out.bin").read_bytes()
    cached = the_object(store, one)
    damage(cached)
    shutil.rmtree(store.root / one.folder)
    status = RecordingStatus()

    assert ended(build(store, plan(one), status=status), one) == ["ran"]
    assert [line for line in status.lines if "is damaged" in line] == [line for line in status.lines if "note" in line]
    assert sum(str(cached.relative_to(store.root)) in line for line in status.lines) == 1
    assert (store.root / one.folder / "out.bin").read_bytes() == good == cached.read_bytes()
    assert [path.name for path in (store.workspace.cache / "damaged").iterdir() if path.name != "log.txt"] == [
        cached.parent.name + cached.name
    ]
    assert cached.parent.name + cached.name in (store.workspace.cache / "damaged" / "log.txt").read_text("utf-8")
    shutil.rmtree(store.root / one.folder)
    assert ended(build(store, plan(one)), one) == ["restored"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_plan_tells_the_truth_and_moves_nothing(store: Store, source: Path, damage: Damage) -> None:
    """What a build will not restore is not called restorable."""
    (one,) = chain("a")
    build(store, plan(one))
    damage(the_object(store, one))
    (store.root / one.folder / "out.bin").unlink()

    assert state_of(store, one) == "remote"
    assert not (store.workspace.cache / "damaged").exists()


def test_bytes_are_compared_as_they_are_copied(store: Store, source: Path) -> None:
    """A disk may change a file whose signature stays: the copy is read, not the memory of the object."""
    (one,) = chain("a")
    build(store, plan(one))
    cached = the_object(store, one)
    flip(cached)
    remembered = Digests(store.root, store.workspace.private / "state.json")
    remembered.remember(cached, cached.parent.name + cached.name)
    remembered.save()
    fooled = Store(store.workspace)
    record = fooled.record(one)
    assert record is not None and fooled.objects.has(record.outs["out.bin"])
    (store.root / one.folder / "out.bin").unlink()

    with pytest.raises(DamagedObject, match="not what its name says"):
        fooled.checkout(record.outs["out.bin"], f"{one.folder}/out.bin")
    assert not list((store.root / one.folder).glob("*out.bin*"))
    assert not fooled.objects.has(record.outs["out.bin"])
    assert ended(build(store, plan(one)), one) == ["ran"]
    assert file_md5(cached) == cached.parent.name + cached.name


def test_an_unchanged_object_is_not_read_again(store: Store) -> None:
    """What was hashed when it was adopted is remembered, in the next process too."""
    record = published(store)
    cached = store.objects.path(record.outs["x.bin"].md5)
    store.save_state()
    file = store.workspace.private / "state" / "objects.json"
    state = shortcut.load(str(file))

    assert state[str(cached)][4] == record.outs["x.bin"].md5
    state[str(cached)][4] = "0" * 32
    file.write_bytes(shortcut.dumps(state))
    assert not Store(store.workspace).objects.has(record.outs["x.bin"])


@pytest.mark.parametrize("damage", DAMAGES)
def test_good_bytes_replace_a_damaged_object(store: Store, damage: Damage) -> None:
    """They are never dropped because something of that name is there."""
    file = store.workspace.work / "made"
    file.write_bytes(b"good bytes")
    digest = store.objects.adopt(file)
    cached = store.objects.path(digest.md5)
    damage(cached)
    file.write_bytes(b"good bytes")
    store.objects.adopt(file)

    assert cached.read_bytes() == b"good bytes"
    assert store.objects.has(digest)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_editing_an_output_that_is_a_link_into_the_cache_damages_nothing_else(
    store: Store, source: Path, link: Callable[[Path, Path], None]
) -> None:
    """DVC's cache.type hardlink or symlink: who writes to the output writes to the object; neither is believed."""
    (one,) = chain("a")
    build(store, plan(one))
    cached, out = the_object(store, one), store.root / one.folder / "out.bin"
    good = out.read_bytes()
    out.unlink()
    link(cached, out)
    assert state_of(store, one) == "fresh"
    with out.open("ab") as handle:
        handle.write(b"edited")

    assert ended(build(store, plan(one)), one) == ["ran"]
    assert out.read_bytes() == cached.read_bytes() == good
    assert link is os.symlink or not out.samefile(cached)


def test_a_run_cache_entry_whose_object_is_damaged_is_a_miss(store: Store) -> None:
    """An entry promises what its objects are."""
    record = published(store)
    flip(store.objects.path(record.outs["y.json"].md5))

    assert Store(store.workspace).runs.remembered(STEP, digests(store.root, STEP)) is None


def test_what_reads_from_a_damaged_output_is_left_alone(store: Store, source: Path) -> None:
    """The step made again gives the same bytes, so nothing after it runs."""
    a, b = chain("a", "b")
    build(store, plan(b))
    flip(the_object(store, a))
    shutil.rmtree(store.root / a.folder)
    executor = FakeExecutor()
    outcome = build(store, plan(b), executor)

    assert ended(outcome, a, b) == ["ran", "fresh"]
    assert executor.ran == ["a"]


def test_a_builds_own_lines_tell_of_damage(store: Store, source: Path) -> None:
    """Among what the build says, not beside it."""
    status = RecordingStatus()
    Builder(store, FakeExecutor(), lambda step: Path("python"), status)
    store.note("line")

    assert status.lines == ["line"]
