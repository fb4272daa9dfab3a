"""Tests of the store: publishing in an order that survives a crash, and what makes a step fresh."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakes import digests, make, step
from tests.support.publishing import STEP, plant, published, state_of
from trtbuild.base.workspace import Workspace
from trtbuild.core.record import Digest
from trtbuild.store import Store, tracking
from trtbuild.store.digests import file_md5


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
    assert all(store.objects.has(digest) for digest in record.outs.values())


def test_a_failure_before_dvc_lock_leaves_no_record(store: Store) -> None:
    """dvc.lock comes last: a step cut off before it is not built, and the next run completes it from the run cache."""

    class FullDisk(Store):
        def checkout(self, digest: Digest, path: str, *, synced: bool = True) -> None:
            if path.endswith("y.json"):
                raise OSError(errno.ENOSPC, "No space left on device", path)
            super().checkout(digest, path, synced=synced)

    with pytest.raises(OSError, match="No space"):
        published(FullDisk(store.workspace))
    assert state_of(store) == "missing"
    assert not (store.root / STEP.folder / "dvc.lock").exists()
    remembered = store.runs.remembered(STEP, digests(store.root, STEP))
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

    assert store.runs.remembered(STEP, digests(store.root, STEP)) is None
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
    cached = store.objects.path(record.outs["x.bin"].md5)

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


def test_dvc_repro_runs_nothing(dvc_store: Store) -> None:
    """A chain of records is complete in DVC's eyes, and stays byte for byte as we wrote it."""
    second = step("b", STEP)
    published(dvc_store)
    published(dvc_store, step=second)
    lock = (dvc_store.root / second.folder / "dvc.lock").read_bytes()
    said = tracking.run_dvc(dvc_store.root, ["repro", f"{second.folder}/dvc.yaml"])

    assert said.count("didn't change, skipping") == 2
    assert (dvc_store.root / second.folder / "dvc.lock").read_bytes() == lock


def test_what_was_recorded_is_synced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects and dvc.lock, beside the caller; what it waits for, it also hears of."""
    synced = set[str]()
    sync = os.fsync

    def watched(descriptor: int) -> None:
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    record = published(store)
    store.sync()
    wanted = {store.root / STEP.folder / "dvc.lock", *(store.objects.path(out.md5) for out in record.outs.values())}
    assert {str(path.resolve()) for path in wanted} == synced

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    published(store, "others")
    with pytest.raises(OSError, match="No space"):
        store.sync()


def test_a_model_is_synced_before_it_is_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a model looks like another one; half an output is not what the record says, and comes again."""
    record = published(store)
    store.sync()
    synced = list[str]()
    sync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent.name)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    (store.root / STEP.folder / "x.bin").unlink()
    store.restore(STEP, record)
    store.sync()
    assert synced == [Path(STEP.folder).name]  # dvc.lock
    store.checkout(record.outs["x.bin"], "models/x.bin")

    assert synced[1:] == ["models"]
