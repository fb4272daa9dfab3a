"""Tests of digests: they are DVC's own, and every change of a file is noticed."""

from __future__ import annotations

import os

import pytest

from tests.support.publishing import TREE, dvc_md5, md5, plant
from trtbuild.base import shortcut
from trtbuild.core.record import Digest
from trtbuild.store import Store
from trtbuild.store.digests import file_md5, signature


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

    assert not (store.workspace.private / "state.json").exists()


def test_a_known_signature_is_not_hashed_again(store: Store) -> None:
    """The state of an earlier process saves reading a file that has not changed since."""
    path = store.root / "models" / "old"
    path.write_text("old", "utf-8")
    os.utime(path, (1, 1))
    store.digest("models/old")
    store.save_state()
    state = store.workspace.private / "state.json"
    state.write_bytes(shortcut.dumps({**shortcut.load(str(state)), str(path): [*signature(path.stat()), "0" * 32]}))

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
