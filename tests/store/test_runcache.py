"""Tests of the run cache: entries that DVC knows by name, and never one whose objects are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import digests, make, step
from tests.support.publishing import STEP, plant, published, state_of
from trtbuild.core.record import action_key
from trtbuild.core.step import Step
from trtbuild.store import Store, tracking


def test_an_entry_without_its_objects_is_a_miss(store: Store) -> None:
    """A collected cache must not promise what it no longer has."""
    record = published(store)
    inputs = digests(store.root, STEP)
    assert store.runs.remembered(STEP, inputs) == record
    store.objects.path(record.outs["y.json"].md5).unlink()

    assert store.runs.remembered(STEP, inputs) is None


@pytest.mark.parametrize("text", ["", "[]", "{", "outs:\n- path: x.bin\n"])
def test_a_broken_entry_is_a_miss(store: Store, text: str) -> None:
    """Half a file in the run cache costs a run, and no more."""
    published(store)
    inputs = digests(store.root, STEP)
    key = action_key(STEP, inputs)
    for entry in (store.workspace.cache / "runs" / key[:2] / key).iterdir():
        entry.write_text(text, "utf-8")

    assert store.runs.remembered(STEP, inputs) is None


@pytest.mark.parametrize("end", ["outs:", "- path: y.json"])
def test_an_entry_with_missing_outputs_is_a_miss(store: Store, end: str) -> None:
    """An entry cut off before or between its outputs is no record of this step."""
    published(store)
    inputs = digests(store.root, STEP)
    key = action_key(STEP, inputs)
    (entry,) = (store.workspace.cache / "runs" / key[:2] / key).iterdir()
    entry.write_text(entry.read_text("utf-8").partition(end)[0], "utf-8")

    assert store.runs.remembered(STEP, inputs) is None


def test_the_oldest_entry_counts(store: Store) -> None:
    """Of two results from two machines, the first one written is used everywhere."""
    first = published(store, "first")
    inputs = digests(store.root, STEP)
    other = replace(first, outs={name: store.objects.adopt(path) for name, path in outputs(store, "second").items()})
    key = action_key(STEP, inputs)
    folder = store.workspace.cache / "runs" / key[:2] / key
    (folder / ("0" * 64)).write_bytes(tracking.to_yaml(tracking.lock_entry(other)))

    assert store.runs.remembered(STEP, inputs) == first


def outputs(store: Store, content: str) -> dict[str, Path]:
    made = make(store.workspace.work / "other", STEP, content)
    return {out.name: made / out.name for out in STEP.outs}


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
