"""Tests of models.dvc: what it says of files that are not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.support.publishing import TREE, md5, plant
from trtbuild.core.record import Digest
from trtbuild.store import Store
from trtbuild.store.digests import file_md5


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
    text = json.dumps(sorted(listing, key=lambda entry: entry["relpath"]), sort_keys=True)
    plant(store.objects.path(whole.md5).parent, {whole.md5[2:]: text})
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
    store.objects.path(whole.md5).unlink()

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

    assert [store.models.tracked_by(path) for path in ("models/m", "models/m/Z", "models/mm", "conf")] == [
        "models/m"
    ] * 2 + [None] * 2


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
