"""Tests of cache objects: one that is damaged is absent everywhere, is named, and is replaced by good bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakes import FakeExecutor, RecordingStatus, build, chain, digests, ended, plan
from tests.support.publishing import STEP, published, state_of
from trtbuild.base import shortcut
from trtbuild.base.errors import RemoteError
from trtbuild.building.loop import Builder
from trtbuild.core.record import Digest
from trtbuild.core.step import Step
from trtbuild.remote.models import bring_models
from trtbuild.store import Store
from trtbuild.store.digests import Digests, file_md5
from trtbuild.store.objects import DamagedObject

Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    """A byte, as a failing disk does: size and mode stay."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    path.chmod(0o444)


def flip_behind_its_time_stamp(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.unlink()
    path.touch()


def grow(path: Path) -> None:
    path.chmod(0o644)
    with path.open("ab") as handle:
        handle.write(b"more")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to_another(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"another file")
    path.unlink()
    path.symlink_to(other)


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGES = [flip, flip_behind_its_time_stamp, cut, empty, grow, folder, fifo, link_to_another, link_to_itself]


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
    file = store.workspace.private / "state.json"
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


FILES = {"data": b"data", "deep/er": b"deeper"}


@pytest.fixture
def tracked(store: Store) -> tuple[Store, dict[str, Path]]:
    """A folder and a file in models.dvc, in cache and remote and not in the workspace; the objects by name."""
    listing = json.dumps([{"md5": hashlib.md5(c).hexdigest(), "relpath": name} for name, c in FILES.items()]).encode()
    contents = {"listing": listing, "member": FILES["deep/er"], "other": FILES["data"], "file": b"a file"}
    names = {what: hashlib.md5(content).hexdigest() for what, content in contents.items()}
    names["listing"] += ".dir"
    remote = store.root.parent / f"{store.root.name}-remote"
    (store.workspace.dvc / "config").write_text(
        f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote}\n", "utf-8"
    )
    (store.root / "models.dvc").write_text(
        f"outs:\n- {{md5: {names['listing']}, path: models/m}}\n- {{md5: {names['file']}, path: models/f}}\n", "utf-8"
    )
    for what, name in names.items():
        for path in (store.objects.path(name), remote / "files" / "md5" / name[:2] / name[2:]):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[what])
    return Store(store.workspace), {what: store.objects.path(name) for what, name in names.items()}


def whole(store: Store) -> bool:
    found = {p.relative_to(store.root / "models" / "m").as_posix(): p for p in (store.root / "models/m").rglob("*")}
    contents = {name: path.read_bytes() for name, path in found.items() if path.is_file()}
    return contents == FILES and (store.root / "models" / "f").read_bytes() == b"a file"


def test_models_come_from_the_cache_alone(tracked: tuple[Store, dict[str, Path]]) -> None:
    """No remote is asked for what is here."""
    store, _ = tracked
    (store.workspace.dvc / "config").unlink()

    assert set(bring_models(["models/m", "models/f"], store).values()) == {None}
    assert whole(store)
    assert store.digest("models/m") == Digest(store.models.digest("models/m").md5, 10, 2)


@pytest.mark.parametrize("damage", [flip, cut, empty, folder])
@pytest.mark.parametrize("what", ["listing", "member", "file"])
def test_damaged_objects_of_a_model_come_from_the_remote(
    tracked: tuple[Store, dict[str, Path]], what: str, damage: Damage
) -> None:
    """A folder's listing, one of its files, and a tracked file alike."""
    store, objects = tracked
    damage(objects[what])

    assert set(bring_models(["models/m", "models/f"], store).values()) == {None}
    assert whole(store)
    assert list((store.workspace.cache / "damaged").glob(f"{objects[what].parent.name}*"))


@pytest.mark.parametrize("what", ["listing", "member", "file"])
def test_a_model_that_is_damaged_everywhere_does_not_come(tracked: tuple[Store, dict[str, Path]], what: str) -> None:
    """One line names it, and nothing of it is in the workspace; the other model comes."""
    store, objects = tracked
    flip(objects[what])
    remote = store.root.parent / f"{store.root.name}-remote" / "files" / "md5"
    flip(remote / objects[what].parent.name / objects[what].name)
    bad, good = ("models/f", "models/m") if what == "file" else ("models/m", "models/f")
    found = bring_models([bad, good], store)

    assert f"{bad} came, and is not what the record says" in str(found[bad])
    assert isinstance(found[bad], RemoteError) and found[good] is None
    assert [path.name for path in (store.root / "models").iterdir()] == [Path(good).name]


def test_a_model_without_a_remote_is_one_line(tracked: tuple[Store, dict[str, Path]]) -> None:
    """What lacks, why, and what to do."""
    store, objects = tracked
    objects["file"].unlink()
    (store.workspace.dvc / "config").unlink()

    assert str(bring_models(["models/f"], store)["models/f"]).startswith(
        "models.dvc: models/f is not here, and no default remote is configured; run: dvc remote add"
    )


def test_the_other_models_of_a_workspace_are_no_reason_to_fail(tracked: tuple[Store, dict[str, Path]]) -> None:
    """They come along when they are little; one that is nowhere is a note."""
    from tests.support.fakes import step

    store, objects = tracked
    objects["file"].unlink()
    remote = store.root.parent / f"{store.root.name}-remote" / "files" / "md5"
    (remote / objects["file"].parent.name / objects["file"].name).unlink()
    (store.root / "models.dvc").write_text((store.root / "models.dvc").read_text().replace("{", "{size: 9, "), "utf-8")
    one, status = step("a", files=("models/m/data",)), RecordingStatus()

    assert ended(build(store, plan(one), status=status), one) == ["ran"]
    assert [line for line in status.lines if "models/f is not here" in line and line.startswith("note")]


def test_an_incomplete_model_is_completed(tracked: tuple[Store, dict[str, Path]]) -> None:
    """What is there is left as it is."""
    store, _ = tracked
    (store.root / "models" / "m").mkdir()
    (store.root / "models" / "m" / "data").write_bytes(b"edited")

    assert set(bring_models(["models/m"], store).values()) == {None}
    assert (store.root / "models" / "m" / "data").read_bytes() == b"edited"
    assert (store.root / "models" / "m" / "deep" / "er").read_bytes() == b"deeper"
