"""Tests of the store: DVC's own digests, publishing in an order that survives a crash, noticing every change."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import digests, make, step
from trtbuild import tracking
from trtbuild.builder import found
from trtbuild.core.explain import judge
from trtbuild.core.record import Digest, Record, action_key
from trtbuild.core.step import Out, Step
from trtbuild.errors import WorkspaceError
from trtbuild.store import Store, file_md5
from trtbuild.workspace import Workspace

STEP = step("a", files=("models/source",), outs=(Out("x.bin"), Out("y.json", cache=False)), depth=2)
TREE = {"a/b": "1", "a.b": "2", "a/b.c/d": "3", "Z": "", "ünï/çode": "5", "a b": "6"}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


def published(store: Store, content: str = "made", step: Step = STEP) -> Record:
    """The step built once, as a worker and the build loop would."""
    source = store.root / "models" / "source"
    if not source.exists():
        source.write_text("source", "utf-8")
    made = make(store.workspace.work / "sandbox", step, content)
    return store.publish(step, digests(store.root, step), made)


def state_of(store: Store, step: Step = STEP) -> str:
    fresh_eyes = Store(store.workspace)
    return judge(step, found(step, fresh_eyes)).state


def md5(digest: Digest | None) -> str | None:
    return digest and digest.md5


def dvc_md5(path: Path, ignore: Any = None) -> str | None:
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    fs = LocalFileSystem()
    _, _, tree = build(HashFileDB(fs, tempfile.gettempdir()), str(path), fs, "md5", dry_run=True, ignore=ignore)
    assert tree.hash_info is not None
    return tree.hash_info.value


# --- digests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["Z", "a.b", "a/b.c", "a", "ünï", "."])
def test_digests_are_dvcs_own(store: Store, path: str) -> None:
    """Files, nested folders, empty files and names outside ASCII: the digest that DVC computes."""
    plant(store.root / "models" / "m", TREE)

    assert md5(store.digest(f"models/m/{path}")) == dvc_md5(store.root / "models" / "m" / path)


def test_a_folder_knows_its_size_and_number_of_files(store: Store) -> None:
    """What DVC writes beside the digest of a folder."""
    plant(store.root / "models" / "m", TREE)
    digest = store.digest("models/m")

    assert digest is not None
    assert (digest.size, digest.files) == (5, 6)


@pytest.mark.parametrize("patterns", ["*.bak", "cache/", "/models/m/a", "*\n!models/\n!*.keep\n*.bak", "# nothing"])
def test_ignored_files_are_no_part_of_a_folder(dvc_store: Store, patterns: str) -> None:
    """DVC leaves out what .dvcignore names, and so does the digest."""
    from dvc.repo import Repo

    (dvc_store.root / ".dvcignore").write_text(patterns, "utf-8")
    folder = plant(
        dvc_store.root / "models" / "m", dict.fromkeys(("a", "b.bak", "c.keep", "cache/a", "sub/cache/b"), "1")
    )

    assert md5(dvc_store.digest("models/m")) == dvc_md5(folder, Repo(str(dvc_store.root)).dvcignore)


@pytest.mark.parametrize("path", ["models/nothing", "models/file/below"])
def test_what_is_not_there_has_no_digest(store: Store, path: str) -> None:
    """Neither has what would lie below a file."""
    plant(store.root / "models", {"file": "1"})

    assert store.digest(path) is None


def test_a_file_of_this_moment_is_not_remembered(store: Store) -> None:
    """Rewritten with the same size within one time stamp, it would pass for unchanged."""
    path = store.root / "models" / "racy"
    for text in ("old", "new"):
        path.write_text(text, "utf-8")
        os.utime(path, (1 << 32, 1 << 32))
        assert store.digest("models/racy") == Digest(file_md5(path), 3)
    store.save_state()

    assert str(path) not in json.loads((store.workspace.private / "state.json").read_text("utf-8"))


def test_a_known_signature_is_not_hashed_again(store: Store) -> None:
    """The state of an earlier process saves reading a file that has not changed since."""
    path = store.root / "models" / "old"
    path.write_text("old", "utf-8")
    os.utime(path, (1, 1))
    first = store.digest("models/old")
    store.save_state()
    state = store.workspace.private / "state.json"
    state.write_text(state.read_text("utf-8").replace(first.md5 if first else "", "0" * 32), "utf-8")

    assert Store(store.workspace).digest("models/old") == Digest("0" * 32, 3)


def test_a_changed_file_is_hashed_again(store: Store) -> None:
    """Another size, time or inode ends the trust in a remembered digest."""
    path = store.root / "models" / "old"
    path.write_text("old", "utf-8")
    os.utime(path, (1, 1))
    store.digest("models/old")
    path.unlink()
    path.write_text("new", "utf-8")
    os.utime(path, (1, 1))

    assert store.digest("models/old") == Digest(file_md5(path), 3)


@pytest.mark.parametrize("state", ["", "[]", "{"])
def test_a_broken_state_file_costs_time_only(store: Store, state: str) -> None:
    """It is a cache of signatures, and no record."""
    plant(store.root / "models", {"file": "1"})
    (store.workspace.private / "state.json").write_text(state, "utf-8")

    assert Store(store.workspace).digest("models/file") == Digest(file_md5(store.root / "models" / "file"), 1)


# --- models.dvc ---------------------------------------------------------------------------------------------------


@pytest.fixture
def absent(store: Store) -> Iterator[tuple[Store, dict[str, Digest | None]]]:
    """A tracked folder that is only in models.dvc and, as a listing, in the cache; with the digests it had."""
    folder = plant(store.root / "models" / "m", TREE)
    paths = ["models/m", "models/m/Z", "models/m/a", "models/m/a/b.c/d", "models/m/nothing", "models/mm"]
    before = {path: store.digest(path) for path in paths}
    whole = before["models/m"]
    assert whole is not None
    files = [path for path in folder.rglob("*") if path.is_file()]
    listing = [{"md5": file_md5(path), "relpath": path.relative_to(folder).as_posix()} for path in files]
    plant(store.object_path(whole.md5).parent, {whole.md5[2:]: json.dumps(listing)})
    (store.root / "models.dvc").write_text(f"outs:\n- path: models/m\n  md5: {whole.md5}\n", "utf-8")
    shutil.rmtree(folder)
    yield Store(store.workspace), before


def test_an_absent_model_has_its_recorded_digest(absent: tuple[Store, dict[str, Digest | None]]) -> None:
    """Files and sub-folders of an absent tracked folder are known from its listing in the cache."""
    store, before = absent
    after = {path: store.input_digest(path) for path in before}

    assert {path: md5(digest) for path, digest in after.items()} == {
        path: md5(digest) for path, digest in before.items()
    }
    assert after["models/m/a"] and not after["models/m/nothing"] and not after["models/mm"]


def test_without_the_listing_only_the_folder_is_known(absent: tuple[Store, dict[str, Digest | None]]) -> None:
    """models.dvc says nothing about what is inside."""
    store, before = absent
    whole = before["models/m"]
    assert whole is not None
    store.object_path(whole.md5).unlink()

    assert store.input_digest("models/m") == Digest(whole.md5)
    assert store.input_digest("models/m/Z") is None


def test_the_workspace_comes_before_models_dvc(absent: tuple[Store, dict[str, Digest | None]]) -> None:
    """A model that was edited is used as it is now."""
    store, _ = absent
    plant(store.root / "models" / "m", {"Z": "edited"})

    assert store.input_digest("models/m/Z") == Digest(file_md5(store.root / "models" / "m" / "Z"), 6)


def test_what_tracks_a_path(absent: tuple[Store, dict[str, Digest | None]]) -> None:
    """An entry of models.dvc tracks itself and what lies in it, not what begins alike."""
    store, _ = absent

    assert [store.tracked_by(path) for path in ("models/m", "models/m/Z", "models/mm", "conf")] == ["models/m"] * 2 + [
        None
    ] * 2


def test_dvcs_own_listing_is_understood(dvc_store: Store) -> None:
    """What DVC tracked and then removed has the digests it had."""
    from dvc.repo import Repo

    folder = plant(dvc_store.root / "models" / "m", TREE)
    paths = ("models/m", "models/m/a", "models/m/ünï/çode")
    before = [md5(dvc_store.digest(path)) for path in paths]
    (dvc_store.root / "models.dvc").write_text("outs:\n- path: models/m\n", "utf-8")
    Repo(str(dvc_store.root)).commit(str(dvc_store.root / "models.dvc"), force=True)
    shutil.rmtree(folder)
    after = [md5(Store(dvc_store.workspace).input_digest(path)) for path in paths]

    assert after == before


# --- publishing ---------------------------------------------------------------------------------------------------


def test_a_published_step_is_fresh(store: Store) -> None:
    """Objects, run-cache entry, outputs and records agree."""
    record = published(store)

    assert state_of(store) == "fresh"
    assert {path.name for path in (store.root / STEP.folder).iterdir()} == {
        "x.bin",
        "y.json",
        "dvc.yaml",
        "dvc.lock",
        "params.yaml",
    }
    assert all(store.has(digest) for digest in record.outs.values())


def test_a_failure_before_dvc_lock_leaves_no_record(store: Store) -> None:
    """dvc.lock comes last: a step cut off before it is not built, and the next run completes it from the run cache."""

    class FullDisk(Store):
        def checkout(self, digest: Digest, path: str) -> None:
            if path.endswith("y.json"):
                raise OSError(errno.ENOSPC, "No space left on device", path)
            super().checkout(digest, path)

    with pytest.raises(OSError, match="No space"):
        published(FullDisk(store.workspace))
    assert state_of(store) == "missing"
    assert not (store.root / STEP.folder / "dvc.lock").exists()
    remembered = store.remembered(STEP, digests(store.root, STEP))
    assert remembered is not None
    store.restore(STEP, remembered)
    assert state_of(store) == "fresh"


def test_a_failure_between_two_objects_leaves_no_run_cache_entry(store: Store) -> None:
    """The run cache never names an object that was not stored."""
    made = make(store.workspace.work / "sandbox", STEP)
    (made / "y.json").unlink()
    plant(store.root / "models", {"source": "source"})
    with pytest.raises(FileNotFoundError):
        store.publish(STEP, digests(store.root, STEP), made)

    assert store.remembered(STEP, digests(store.root, STEP)) is None
    assert state_of(store) == "missing"


def test_the_first_writer_wins(store: Store) -> None:
    """A second result of the same action is dropped, so that all machines agree on one."""
    first = published(store, "first")
    second = published(Store(store.workspace), "second")

    assert second == first
    assert (store.root / STEP.folder / "x.bin").read_text("utf-8") == "first x.bin"


def test_no_temporary_file_is_left(store: Store) -> None:
    """Every write is to a temporary that is renamed."""
    published(store)

    assert not list(store.root.rglob("*.tmp"))


def test_objects_are_read_only_and_outputs_are_copies(store: Store) -> None:
    """Writing to an output cannot change the cache, not even as root."""
    record = published(store)
    out = store.root / STEP.folder / "x.bin"
    with out.open("a") as handle:
        handle.write("more")
    cached = store.object_path(record.outs["x.bin"].md5)

    assert file_md5(cached) == record.outs["x.bin"].md5
    assert cached.stat().st_mode & 0o777 == 0o444


def test_deleted_outputs_are_restored(store: Store) -> None:
    """An output that went away is missing, and comes back from the cache with the same bytes."""
    record = published(store)
    (store.root / STEP.folder / "x.bin").unlink()
    assert state_of(store) == "missing"
    store.restore(STEP, record)

    assert state_of(store) == "fresh"
    assert (store.root / STEP.folder / "x.bin").read_text("utf-8") == "made x.bin"


def test_a_tampered_output_is_found(store: Store) -> None:
    """The same size at the same time is still other content."""
    published(store)
    out = store.root / STEP.folder / "x.bin"
    status = out.stat()
    out.write_text("MADE x.bin", "utf-8")
    os.utime(out, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert state_of(store) == "stale"


def test_an_entry_without_its_objects_is_a_miss(store: Store) -> None:
    """A collected cache must not promise what it no longer has."""
    record = published(store)
    inputs = digests(store.root, STEP)
    assert store.remembered(STEP, inputs) == record
    store.object_path(record.outs["y.json"].md5).unlink()

    assert store.remembered(STEP, inputs) is None


@pytest.mark.parametrize("text", ["", "[]", "{", "outs:\n- path: x.bin\n"])
def test_a_broken_entry_is_a_miss(store: Store, text: str) -> None:
    """Half a file in the run cache costs a run, and no more."""
    published(store)
    inputs = digests(store.root, STEP)
    key = action_key(STEP, inputs)
    for entry in (store.workspace.cache / "runs" / key[:2] / key).iterdir():
        entry.write_text(text, "utf-8")

    assert store.remembered(STEP, inputs) is None


@pytest.mark.parametrize("end", ["outs:", "- path: y.json"])
def test_an_entry_with_missing_outputs_is_a_miss(store: Store, end: str) -> None:
    """An entry cut off before or between its outputs is no record of this step."""
    published(store)
    inputs = digests(store.root, STEP)
    key = action_key(STEP, inputs)
    (entry,) = (store.workspace.cache / "runs" / key[:2] / key).iterdir()
    entry.write_text(entry.read_text("utf-8").partition(end)[0], "utf-8")

    assert store.remembered(STEP, inputs) is None


def test_the_oldest_entry_counts(store: Store) -> None:
    """Of two results from two machines, the first one written is used everywhere."""
    first = published(store, "first")
    inputs = digests(store.root, STEP)
    other = replace(first, outs={name: store.adopt(path) for name, path in outputs(store, "second").items()})
    key = action_key(STEP, inputs)
    folder = store.workspace.cache / "runs" / key[:2] / key
    (folder / ("0" * 64)).write_bytes(tracking.to_yaml(tracking.lock_entry(other)))

    assert store.remembered(STEP, inputs) == first


def outputs(store: Store, content: str) -> dict[str, Path]:
    made = make(store.workspace.work / "other", STEP, content)
    return {out.name: made / out.name for out in STEP.outs}


def test_a_step_without_inputs_reads_its_parameters(store: Store) -> None:
    """DVC never reuses a stage without dependencies, so its own parameters are its dependency."""
    drawn = step("drawn", seed=1)
    inputs = store.input_digests(drawn)
    assert inputs is not None
    store.publish(drawn, inputs, make(store.workspace.work / "sandbox", drawn))

    assert list(inputs) == [f"{drawn.folder}/params.yaml"]
    assert inputs == {path: store.digest(path) for path in inputs}
    assert state_of(store, drawn) == "fresh"


def test_inputs_that_are_not_there_have_no_digests(store: Store) -> None:
    """One absent input of two is enough."""
    assert store.input_digests(step("a", step("up"), files=("models/nothing",))) is None


def test_unchanged_records_are_not_written_again(store: Store) -> None:
    """Time stamps tell the truth: a restore of what is there touches nothing."""
    record = published(store)
    folder = store.root / STEP.folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    Store(store.workspace).restore(STEP, record)

    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_cache_may_lie_on_another_disk(store: Store, other_disk: Path) -> None:
    """A shared cache directory is DVC's usual set-up for teams."""
    (store.workspace.dvc / "config").write_text(f"[cache]\n    dir = {other_disk}\n", "utf-8")
    published(Store(Workspace(store.root)))

    assert state_of(Store(Workspace(store.root))) == "fresh"


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is only one file system")
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


# --- beside DVC ---------------------------------------------------------------------------------------------------


def test_a_running_dvc_command_is_waited_for(dvc_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's repository lock and ours are one; who waits too long is told."""
    from dvc.lock import Lock

    monkeypatch.setattr("trtbuild.store._LOCK_WAIT_S", 0.0)
    folder = dvc_store.workspace.dvc / "tmp"
    folder.mkdir(exist_ok=True)
    with Lock(str(folder / "lock")), pytest.raises(WorkspaceError, match="a dvc command holds the lock"):
        published(dvc_store)

    assert published(dvc_store)


def test_dvc_waits_for_us(dvc_store: Store) -> None:
    """While outputs are put in place, a dvc command cannot start."""
    import zc.lockfile

    lock = str(dvc_store.workspace.dvc / "tmp" / "lock")
    with dvc_store._dvc_lock(), pytest.raises(zc.lockfile.LockError):
        zc.lockfile.LockFile(lock)

    zc.lockfile.LockFile(lock).close()


def dvc_stage(store: Store, step: Step) -> Any:
    from dvc.repo import Repo

    return Repo(str(store.root)).stage.load_one(str(store.root / step.folder / "dvc.yaml"), step.kind)


@pytest.mark.parametrize(
    "made", [STEP, step("drawn", seed=1, ratio=1e-5, name="ü", nothing=None, empty=[])], ids=["inputs", "no inputs"]
)
def test_run_cache_names_are_dvcs_own(dvc_store: Store, made: Step) -> None:
    """Key and value of our run-cache entry are those that DVC computes from the files we wrote."""
    from dvc.stage.cache import _get_cache_hash, _get_stage_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    plant(dvc_store.root / "models", {"source": "source"})
    inputs = dvc_store.input_digests(made)
    assert inputs is not None
    dvc_store.publish(made, inputs, make(dvc_store.workspace.work / "sandbox", made))
    stage = dvc_stage(dvc_store, made)
    key, value = _get_stage_hash(stage), _get_cache_hash(to_single_stage_lockfile(stage))

    assert key == action_key(made, inputs)
    assert (dvc_store.workspace.cache / "runs" / key[:2] / key / value).is_file()


def test_dvc_finds_nothing_changed_and_restores_from_our_run_cache(dvc_store: Store) -> None:
    """`dvc status` agrees with us, and `dvc repro` takes lost outputs and lock from our run cache."""
    published(dvc_store)
    folder = f"{STEP.folder}/dvc.yaml"
    assert "up to date" in tracking.run_dvc(dvc_store.root, ["status", folder])
    for name in ("x.bin", "y.json", "dvc.lock"):
        (dvc_store.root / STEP.folder / name).unlink()
    said = tracking.run_dvc(dvc_store.root, ["repro", folder])

    assert "is cached - skipping run" in said
    assert state_of(dvc_store) == "fresh"


def test_dvc_repro_runs_nothing(dvc_store: Store) -> None:
    """A chain of records is complete in DVC's eyes, and stays byte for byte as we wrote it."""
    second = step("b", STEP)
    published(dvc_store)
    published(dvc_store, step=second)
    lock = (dvc_store.root / second.folder / "dvc.lock").read_bytes()
    said = tracking.run_dvc(dvc_store.root, ["repro", f"{second.folder}/dvc.yaml"])

    assert said.count("didn't change, skipping") == 2
    assert (dvc_store.root / second.folder / "dvc.lock").read_bytes() == lock
