"""Tests of source models that come from a remote: what is pulled, and what their records are good for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.damage import Damage, cut, empty, flip, folder
from tests.support.fakes import RecordingStatus, build, ended, plan, step
from tests.support.transfers import move, states
from trtbuild.base.errors import RemoteError
from trtbuild.core.record import Digest
from trtbuild.remote.models import bring_models
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.store import Store

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

    assert f"{bad} arrived, but is not what the record says" in str(found[bad])
    assert isinstance(found[bad], RemoteError) and found[good] is None
    assert [path.name for path in (store.root / "models").iterdir()] == [Path(good).name]


def test_a_model_without_a_remote_is_one_line(tracked: tuple[Store, dict[str, Path]]) -> None:
    """What lacks, why, and what to do."""
    store, objects = tracked
    objects["file"].unlink()
    (store.workspace.dvc / "config").unlink()

    assert str(bring_models(["models/f"], store)["models/f"]).startswith(
        "models.dvc: an incomplete checkout: models/f is not here, and no default remote is configured; run: dvc remote"
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


def test_sources_are_known_by_their_listing_alone(here: Store, there: Store) -> None:
    """A folder of models.dvc is not fetched; its listing tells the digests that the key is made of."""
    one = step("a", files=("models/m/data",))
    for store in (here, there):
        listing = json.dumps([{"md5": hashlib.md5(b"data").hexdigest(), "relpath": "data"}]).encode()
        md5 = hashlib.md5(listing).hexdigest() + ".dir"
        (store.root / "models.dvc").write_text(
            f"outs:\n- {{md5: {md5}, size: 4, hash: md5, path: models/m}}\n", "utf-8"
        )
    (here.root / "models" / "m").mkdir()
    (here.root / "models" / "m" / "data").write_bytes(b"data")
    for name, content in ((md5, listing), (hashlib.md5(b"data").hexdigest(), b"data")):
        here.objects.path(name).parent.mkdir(parents=True, exist_ok=True)
        here.objects.path(name).write_bytes(content)
    build(here, plan(one))
    assert move(push, here, [one]).sources == (2, len(listing) + 4)

    assert states(move(pull, there, [one])) == ["moved"]
    assert not (there.root / "models" / "m").exists()
    assert ended(build(there, plan(one)), one) == ["fresh"]


def test_one_of_two_models_pushed_is_built_elsewhere(here: Store, there: Store) -> None:
    """All that a fresh machine needs of it goes over; the other model is not pushed, and not needed."""
    entries = ""
    for name in "ab":
        content = json.dumps([{"md5": hashlib.md5(name.encode()).hexdigest(), "relpath": "data"}]).encode()
        listing = hashlib.md5(content).hexdigest() + ".dir"
        entries += f"- {{md5: {listing}, size: 1, hash: md5, path: models/{name}}}\n"
        (here.root / "models" / name).mkdir()
        (here.root / "models" / name / "data").write_text(name, "utf-8")
        for md5, what in ((listing, content), (hashlib.md5(name.encode()).hexdigest(), name.encode())):
            here.objects.path(md5).parent.mkdir(parents=True, exist_ok=True)
            here.objects.path(md5).write_bytes(what)
    for store in (here, there):
        (store.root / "models.dvc").write_text(f"outs:\n{entries}", "utf-8")
    one, other = step("a", files=("models/a/data",)), step("b", files=("models/b/data",))
    build(here, plan(one, other))
    assert move(push, here, [one]).sources[0] == 2
    status = RecordingStatus()
    another = step("c", files=("models/a/data",))  # what nobody has built yet
    there, failing = Store(there.workspace), plan(other)

    assert ended(build(there, plan(another), status=status), another) == ["ran"]
    assert (there.root / "models" / "a" / "data").read_text("utf-8") == "a"
    assert [line for line in status.lines if line.startswith("note") and line.endswith("this build does not need it")]
    (error,) = build(Store(there.workspace), failing).failures.values()
    assert str(error).startswith("models.dvc: an incomplete checkout: models/b is not here, and remote 'r' (")
    assert str(error).endswith("does not have it; push it from a machine that has it (trtbuild push, or dvc push)")


def test_a_model_from_a_remote_that_is_gone_names_the_remote(here: Store, there: Store) -> None:
    """Which, and where it should be."""
    (there.root / "models.dvc").write_text(f"outs:\n- {{md5: {'a' * 32}, path: models/f}}\n", "utf-8")
    (error,) = build(Store(there.workspace), plan(step("a", files=("models/f",)))).failures.values()

    assert f"models/f is not here, and remote 'r' ({there.root.parent / 'remote'}): its folder does not exist" in str(
        error
    )
