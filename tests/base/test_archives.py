"""Tests of compressed files that would expand beyond all proportion: refused by what they declare, in one line."""

from __future__ import annotations

import shutil
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.readers import npy
from trtbuild.arrays.arrayfile import open_npz
from trtbuild.base import archives
from trtbuild.base.archives import ROOM, check_expansion
from trtbuild.base.errors import TrtbuildError
from trtbuild.selftest.archive import Archive
from trtbuild.sources import kerasfile, largemodel

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Zeros, a thousandfold smaller; the room is small, so that the test is quick."""
    monkeypatch.setattr(archives, "ROOM", 1 << 16)
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("manifest.json", "config.json", "m.onnx", "x.npy"):
            archive.writestr(name, bytes(1 << 20))
    return tmp_path / "bomb"


READERS: dict[str, Callable[[Path], object]] = {
    "self-test": Archive,
    "large model": lambda path: largemodel.unpack(path, "m.onnx", path.parent / "out"),
    "samples": lambda path: open_npz(path, path.parent),
    "keras": lambda path: kerasfile._check_sizes(path.rename(path.with_suffix(".keras"))),
}


@pytest.mark.parametrize("name", READERS)
def test_a_bomb_is_refused_before_it_expands(name: str, bomb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its directory; samples only where they have no room."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, 1 << 20))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *args, **how: pytest.fail("it was read"))
    with pytest.raises((TrtbuildError, ValueError), match="it would expand") as error:
        READERS[name](bomb)
    assert "\n" not in str(error.value) and not (bomb.parent / "out").exists()


def test_a_bomb_is_not_opened_to_say_what_it_lacks(bomb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice for files of weights reads the network's config."""
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *args, **how: pytest.fail("it was read"))

    assert kerasfile._lacking(bomb.rename(bomb.with_suffix(".keras"))) is None


@pytest.mark.parametrize("weights", ["model.weights.h5", "model.weights.npz"])
def test_a_bomb_in_an_archive_is_one(weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a member of any size."""
    import h5py

    monkeypatch.setattr(kerasfile, "ROOM", 1 << 10)
    inner = tmp_path / weights
    if inner.suffix == ".h5":
        with h5py.File(inner, "w") as file:
            file.create_dataset("w", (1 << 30,), np.float32, chunks=(1 << 10,))
    else:
        monkeypatch.setattr(archives, "ROOM", 1 << 16)
        np.savez_compressed(inner, x=np.zeros(1 << 20))
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.write(inner, weights)
    with pytest.raises(ValueError, match="it would expand"):
        kerasfile._check_sizes(tmp_path / "m.keras")


def test_arrays_in_a_self_test_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive in the archive; and what is not one is named."""
    monkeypatch.setattr(archives, "ROOM", 1 << 16)
    np.savez_compressed(tmp_path / "arrays.npz", x=np.zeros(1 << 20))
    archive = object.__new__(Archive)
    archive.path = tmp_path / "arrays.npz"
    for content, said in (archive.path.read_bytes(), "it would expand"), (npy(np.zeros(2)), "cannot be read"):
        monkeypatch.setattr(archive, "read", lambda member, content=content: content)
        with pytest.raises(TrtbuildError, match=said):
            archive.arrays("arrays.npz")


def test_arrays_that_are_declared_only(tmp_path: Path) -> None:
    """An HDF5 dataset takes no room until it is written."""
    import h5py

    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("w", (1 << 30,), np.float32, chunks=(1 << 10,))
    with pytest.raises(ValueError, match="more than 200-fold"):
        kerasfile._check_sizes(tmp_path / "m.h5")


def test_what_is_in_proportion_is_let_through(tmp_path: Path) -> None:
    """Little by little, or a lot from a lot; but not any number of members."""
    (tmp_path / "f").write_bytes(bytes(1 << 20))
    check_expansion(tmp_path / "f", [ROOM])
    check_expansion(tmp_path / "f", [100 << 20, 99 << 20])
    with pytest.raises(ValueError, match="entries"):
        check_expansion(tmp_path / "f", [0] * 100_001)
