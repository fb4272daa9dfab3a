"""Tests of what gc finds in build/ that belongs to no record."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.fakes import build, chain, plan
from tests.support.publishing import plant
from trtbuild.building.garbage import find, free
from trtbuild.store import Store

LOST = "build/m/a-00000000"


def test_bytes_in_build_without_a_record_are_named(dvc_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step's folder goes, unless git has it; what may be the user's own is left alone."""
    root, (kept,) = dvc_store.root, chain("a")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "home"))
    plant(root, {"models/source": "1", f"{LOST}/out.bin": "12345", "build/m/foo-123/notes": "mine",
                 "build/n/mine": "", "build/sweeps/x/y.html": ""})  # fmt: skip
    assert not build(dvc_store, plan(kept)).failures
    for words in (
        ["add", f"{kept.folder}/params.yaml"],
        ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm1"],
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    garbage = find(dvc_store.workspace, None)

    assert [(waste.path, waste.bytes) for waste in garbage.wastes if waste.kind == "unrecorded"] == [(root / LOST, 5)]
    assert garbage.notes == (
        "build/m/foo-123 (4 bytes) belongs to no record, and is left alone",
        "build/n (0 bytes) belongs to no record, and is left alone",
    )
    (root / kept.folder / "dvc.lock").unlink()
    free(dvc_store.workspace, None, with_toolchains=False)
    assert not (root / LOST).exists()
    assert (root / kept.folder / "params.yaml").exists() and (root / "build/m/foo-123/notes").exists()
