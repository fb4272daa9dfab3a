"""Tests of the arrays that name slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtbuild.arrays.slices import read_slices
from trtbuild.base.errors import DataError


def test_an_archive_has_an_array_for_each_slicing(tmp_path: Path) -> None:
    """Of integers, strings or bytes; slices are sorted by value."""
    path = tmp_path / "slices.npz"
    np.savez(path, weather=np.array(["rain", "dry", "rain"]), camera=np.array([2, 1, 10]), site=np.array([b"x"] * 3))

    camera, site, weather = read_slices(path, 3, "slices.npz")

    assert (camera.name, camera.names, camera.codes.tolist()) == ("camera", ("1", "2", "10"), [1, 0, 2])
    assert (weather.names, weather.codes.tolist()) == (("dry", "rain"), [1, 0, 1])
    assert site.names == ("x",)


def test_a_single_array_is_named_by_its_file(tmp_path: Path) -> None:
    """An .npy has no other name."""
    np.save(tmp_path / "night.npy", np.array([True, False]))

    (night,) = read_slices(tmp_path / "night.npy", 2, "night.npy")

    assert (night.name, night.names) == ("night", ("False", "True"))


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.array([0.5, 1.5, 2.5]), "dtype float64, which names no slices"),
        (np.array([1, 2]), r"shape \[2\], but there are 3 samples"),
        (np.zeros((3, 2), int), r"shape \[3, 2\]"),
        (np.array(["a", None, "b"], object), "objects"),
    ],
)
def test_what_names_no_slices_is_refused(tmp_path: Path, array: Any, says: str) -> None:
    """In one line, with the file."""
    np.save(tmp_path / "s.npy", array, allow_pickle=True)

    with pytest.raises(DataError, match=says):
        read_slices(tmp_path / "s.npy", 3, "s.npy")


def test_an_id_for_each_sample_is_not_a_slice(tmp_path: Path) -> None:
    """A thousand slices are more than anybody reads."""
    np.save(tmp_path / "id.npy", np.arange(1001))

    with pytest.raises(DataError, match="names 1001 slices"):
        read_slices(tmp_path / "id.npy", 1001, "id.npy")


def test_classes_keep_their_name(tmp_path: Path) -> None:
    """A slicing is not called class."""
    np.savez(tmp_path / "s.npz", **{"class": np.array([1, 2])})

    with pytest.raises(DataError, match="cannot be called 'class'"):
        read_slices(tmp_path / "s.npz", 2, "s.npz")
