"""Tests of records that others wrote, or a disk damaged: a digest that is none, a path that leaves its folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import RecordingStatus, build, chain, ended, plan
from tests.support.publishing import plant
from trtbuild.base import shortcut
from trtbuild.base.errors import ConfigError, WorkspaceError
from trtbuild.base.files import inner_path, is_inside
from trtbuild.core.record import MD5, Digest, digest_of
from trtbuild.core.step import Step
from trtbuild.remote.models import bring_models
from trtbuild.store import Store, tracking
from trtbuild.store.digests import parse_listing

GOOD = "0123456789abcdef" * 2
FORGED = ["../secret", "../../../../secret", "/etc/passwd", "", GOOD.upper(), GOOD[1:], f"{GOOD}0", f"{GOOD}.dir/..",
          f"{GOOD}\n", f"{GOOD}.DIR", f"{GOOD[:-1]}\u0660", 7, None, ["a"], {"a": 1}, True]  # fmt: skip
OUTSIDE = ["../x", "/x", "", ".", "..", "a/..", "a/../../x", "a//b", "a/", "a\\b", "..\\x", "a\0b", "x" * 256, 7, None]


@pytest.mark.parametrize("md5", FORGED)
def test_only_a_digest_passes_the_door(md5: object) -> None:
    """32 lowercase hex digits, with .dir for a folder; anything else would become a path."""
    with pytest.raises(ValueError, match="is not an md5"):
        digest_of({"md5": md5})


@pytest.mark.parametrize("md5", [GOOD, f"{GOOD}.dir"])
def test_a_digest_passes_the_door(md5: str) -> None:
    """Sizes that are none are left out: they are only hints."""
    assert digest_of({"md5": md5, "size": "big", "nfiles": 2}).md5 == md5
    assert digest_of({"md5": md5, "size": "big", "nfiles": 2}).size is None


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_outside_its_folder_is_refused(path: object) -> None:
    """Upwards, absolute, empty, or of marks that another system would read so."""
    with pytest.raises(ValueError, match=r"does not stay in its folder|is not a path"):
        inner_path(path)


def test_a_path_inside_is_taken() -> None:
    """Also one that begins with dots."""
    assert [inner_path(path) for path in ("a/b", "..a", "ünï/...")] == ["a/b", "..a", "ünï/..."]


def published(store: Store) -> Step:
    (one,) = chain("a")
    plant(store.root / "models", {"source": "1"})
    build(store, plan(one))
    return one


def rewrite(path: Path, key: str, value: object) -> None:
    """One entry of the outputs of a record."""
    content = tracking.read_yaml(path)
    entry = content["stages"]["a"] if "stages" in content else content
    entry["outs"][0][key] = value
    path.write_bytes(tracking.to_yaml(content))


@pytest.mark.parametrize("where", ["dvc.lock", "run cache", "both"])
@pytest.mark.parametrize(("key", "value"), [*(("md5", md5) for md5 in FORGED), *(("path", path) for path in OUTSIDE)])
def test_a_forged_record_restores_nothing(store: Store, where: str, key: str, value: object) -> None:
    """It is void, and said so once; the bytes it points at come nowhere near the output."""
    one = published(store)
    folder = store.root / one.folder
    good = (folder / "out.bin").read_bytes()
    for secret in (store.workspace.cache / "files" / "secret", store.root.parent / "secret", store.root / "secret"):
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_bytes(b"secret")
    if where != "run cache":
        rewrite(folder / "dvc.lock", key, value)
        (folder / "out.bin").unlink()
    else:
        shutil.rmtree(folder)
    if where != "dvc.lock":
        (entry,) = (store.workspace.cache / "runs").glob("*/*/*")
        rewrite(entry, key, value)
    status = RecordingStatus()

    assert ended(build(store, plan(one), status=status), one) == ["restored" if where == "dvc.lock" else "ran"]
    assert (folder / "out.bin").read_bytes() == good
    assert b"secret" not in [path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()]
    assert sum("not a record of a" in line for line in status.lines) == (where != "run cache")


@pytest.mark.parametrize(
    "text", ["{cmd: 3}", "{cmd: x, outs: {a: 1}}", "{cmd: x, params: [1]}", "{cmd: x, deps: [{path: y}]}", "7"]
)
def test_a_record_of_another_form_is_said(store: Store, text: str) -> None:
    """It counts as absent, in one line."""
    one = published(store)
    (store.root / one.folder / "dvc.lock").write_text(f"stages: {{a: {text}}}", "utf-8")
    status = RecordingStatus()

    assert ended(build(store, plan(one), status=status), one) == ["restored"]
    assert sum("not a record of a" in line for line in status.lines) == 1


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe{", b"<<<<<<< HEAD\n", b"stages: {a: " + b"9" * 5000 + b"}", b"[" * 200_000]
)
def test_a_record_that_is_not_yaml_fails_no_other_step(store: Store, content: bytes) -> None:
    """A damaged dvc.lock, or one with a merge conflict: it counts as absent, in one line."""
    one, two = chain("a", "b")
    plant(store.root / "models", {"source": "1"})
    build(store, plan(two))
    (store.root / one.folder / "dvc.lock").write_bytes(content)
    status = RecordingStatus()

    assert ended(build(store, plan(two), status=status), one, two) == ["restored", "fresh"]
    assert sum("counts as absent" in line for line in status.lines) == 1


def listing(**changed: Any) -> bytes:
    return json.dumps([{"md5": GOOD, "relpath": "a", **changed}]).encode()


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000, b'[{"md5": "%s"}]' % GOOD.encode(), listing(md5=f"{GOOD}.dir")]
    + [listing(md5=md5) for md5 in FORGED]
    + [listing(relpath=path) for path in OUTSIDE]
    + [json.dumps([{"md5": GOOD, "relpath": path} for path in paths]).encode() for paths in (("a", "a"), ("a", "a/b"))],
)
def test_a_forged_listing_is_none(content: bytes) -> None:
    """Of a form, a digest or a path that DVC never writes."""
    with pytest.raises(ValueError):
        parse_listing(content)


@pytest.mark.parametrize("path", ["../escaped", "/tmp/escaped", "a/../../../escaped"])
def test_a_listing_writes_nothing_outside_its_folder(store: Store, path: str) -> None:
    """Also one whose md5 is right: models.dvc and the listing were forged together."""
    content = json.dumps([{"md5": hashlib.md5(b"data").hexdigest(), "relpath": path}]).encode()
    name = hashlib.md5(content).hexdigest() + ".dir"
    for md5, data in ((name, content), (hashlib.md5(b"data").hexdigest(), b"data")):
        plant(store.objects.path(md5).parent, {md5[2:]: data.decode()})
    (store.root / "models.dvc").write_text(f"outs:\n- {{md5: {name}, path: models/m}}\n", "utf-8")
    found = bring_models(["models/m"], Store(store.workspace))

    assert "models/m" in str(found["models/m"])
    assert not list(store.root.parent.rglob("escaped")) and not Path("/tmp/escaped").exists()
    assert not (store.root / "models" / "m").exists()


def test_a_folder_that_another_process_puts_there_meanwhile_is_kept(store: Store) -> None:
    """Two builds of a clone pull the same model at once."""
    content = json.dumps([{"md5": hashlib.md5(b"data").hexdigest(), "relpath": "file"}]).encode()
    name = hashlib.md5(content).hexdigest() + ".dir"
    for md5, data in ((name, content), (hashlib.md5(b"data").hexdigest(), b"data")):
        plant(store.objects.path(md5).parent, {md5[2:]: data.decode()})
    copy_out = store.objects.copy_out

    def after_another(digest: Digest, place: Path) -> None:
        Store(store.workspace).checkout(Digest(name), "models/m")
        copy_out(digest, place)

    store.objects.copy_out = after_another  # type: ignore[method-assign]
    store.checkout(Digest(name), "models/m")

    assert [path.name for path in (store.root / "models").iterdir()] == ["m"]
    assert (store.root / "models" / "m" / "file").read_bytes() == b"data"


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


def test_a_listing_writes_nothing_through_a_link(store: Store, outside: Path) -> None:
    """An existing folder is completed, and a link in it leads out."""
    content = json.dumps([{"md5": hashlib.md5(b"data").hexdigest(), "relpath": "sub/file"}]).encode()
    name = hashlib.md5(content).hexdigest() + ".dir"
    for md5, data in ((name, content), (hashlib.md5(b"data").hexdigest(), b"data")):
        plant(store.objects.path(md5).parent, {md5[2:]: data.decode()})
    (store.root / "models" / "m").mkdir(parents=True)
    (store.root / "models" / "m" / "sub").symlink_to(outside)
    with pytest.raises(ConfigError, match="leads out"):
        store.checkout(Digest(name), "models/m")

    assert not list(outside.iterdir())


@pytest.mark.parametrize("link", ["build", "build/m", "step"])
def test_a_step_is_not_written_through_a_link_that_leads_out(store: Store, outside: Path, link: str) -> None:
    """The build folder, a model's, or the step's own: one line, and nothing is written there."""
    (one,) = chain("a")
    plant(store.root / "models", {"source": "1"})
    place = store.root / (one.folder if link == "step" else link.replace("m", one.model))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    outcome = build(store, plan(one))

    assert "leads out" in str(outcome.failures[one.key])
    assert not list(outside.iterdir())


@pytest.mark.parametrize("known", [7, [], [1, 2, 3, 4], [1, 2, 3, 4, "../x"], ["a", 2, 3, 4, GOOD], None, {}])
def test_a_damaged_signature_is_ignored(store: Store, known: object) -> None:
    """A shortcut of ours that is not one costs a reading."""
    path = plant(store.root / "models", {"file": "1"}) / "file"
    (store.workspace.private / "state.json").write_bytes(shortcut.dumps({str(path): known}))

    assert Store(store.workspace).digest("models/file") == store.digest("models/file")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["../x", GOOD, f"{GOOD}.dir"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["md5", "path", "outs", "cmd", "deps", "params", "size"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_any_entry_is_a_record_or_void(entry: object) -> None:
    """No traceback from a record of any form; what passes has digests and paths that are ones."""
    try:
        record = tracking.record_of(entry)
    except ValueError:
        return
    assert all(MD5.fullmatch(digest.md5) for digest in (*record.deps.values(), *record.outs.values()))
    assert all(is_inside(path) for path in record.outs)


@given(st.data())
def test_a_damaged_file_is_read_or_named(data: st.DataObject) -> None:
    """dvc.lock with bytes changed, cut out or put in: a record, none, or one line that names the file."""
    good = tracking.lock_yaml(
        "a",
        tracking.record_of({"cmd": "c", "deps": [{"path": "../s", "md5": GOOD}], "outs": [{"path": "o", "md5": GOOD}]}),
    )
    start = data.draw(st.integers(0, len(good)))
    damaged = good[:start] + data.draw(st.binary(max_size=4)) + good[start + data.draw(st.integers(0, 6)) :]
    try:
        content = tracking.parse_yaml(damaged, "dvc.lock")
    except WorkspaceError as error:
        assert error.where == "dvc.lock"
        return
    stage = (
        content["stages"].get("a") if isinstance(content, dict) and isinstance(content.get("stages"), dict) else None
    )
    try:
        tracking.record_of(stage)
    except ValueError:
        return
