"""Tests of samples of several sizes, from callables and from folders."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arrays.test_data import INPUTS
from trtbuild.arrays import samplesizes
from trtbuild.arrays.data import Source
from trtbuild.arrays.samples import Samples
from trtbuild.base.errors import DataError

SIZES = {"image": {"dtype": "float32", "shape": [None, None], "profile": {"min": 1, "opt": [1, 2], "max": 9}}}


def sized(count: int) -> tuple[Samples, ...]:
    source = {"kind": "factory", "callable": "tests.arrays.test_data:yields", "arguments": {"count": count}}
    return Source(source, None, SIZES, "model.data.calibration").parts()


def values(parts: Iterable[Samples]) -> list[list[Any]]:
    return [np.asarray(part.arrays["image"]).tolist() for part in parts]


def test_samples_of_several_sizes_are_parts() -> None:
    """Each run of one size is one array, in the order of the samples; the numbers stay exact."""
    assert values(sized(3)) == [[[0, 0], [1, 1]], [[2, 2, 2]]]
    assert [part.count for part in sized(3)] == [2, 1]


def test_what_is_not_calibration_has_one_size() -> None:
    """The callable is named, and what differs: also where that is a label."""
    source = {"kind": "factory", "callable": "tests.arrays.test_data:yields", "arguments": {"count": 3}}
    with pytest.raises(DataError, match=r"yields: samples differ in shape: 'image' has \[3\] after \[2\]; calibration"):
        Source(source, None, SIZES, "model.data.validation").samples()


def labelled(count: int) -> Iterator[dict[str, Any]]:
    return ({"image": np.zeros(2), "boxes": np.zeros((i, 4))} for i in range(count))


def test_labels_of_several_sizes_are_refused() -> None:
    """Nothing of the second part would be read."""
    source = {"kind": "factory", "callable": f"{__name__}:labelled", "arguments": {"count": 2}}
    with pytest.raises(DataError, match=r"'boxes' has \[1, 4\] after \[0, 4\]"):
        Source(source, None, INPUTS, "model.data.validation", ["boxes"]).samples()


def test_a_folder_of_archives_has_a_size_each(tmp_path: Path) -> None:
    """In the order of their names; equal ones in a row join."""
    for name, width, fill in (("a", 2, 1), ("b", 2, 2), ("c", 3, 3)):
        np.savez(tmp_path / f"{name}.npz", image=np.full((2, width), fill, np.uint8), other=np.zeros(2))
    parts = Source("data", tmp_path, SIZES, "model.data.calibration").parts()

    assert values(parts) == [[[1, 1], [1, 1], [2, 2], [2, 2]], [[3, 3, 3], [3, 3, 3]]]


@pytest.mark.parametrize("rank", [1, 2])
def test_a_folder_of_samples_of_the_one_input(tmp_path: Path, rank: int) -> None:
    """Where no file bears an input's name each is one sample, with or without its first dimension."""
    for i, width in enumerate((3, 2)):
        np.save(tmp_path / f"frame{i}.npy", np.full((1, width)[2 - rank :], i, np.float32))
    parts = Source("data", tmp_path, SIZES, "model.data.calibration").parts()

    assert values(parts) == [[[0, 0, 0]], [[1, 1]]]


def test_a_batch_in_a_folder_of_samples_loses_no_row(tmp_path: Path) -> None:
    """Each of its rows is a sample."""
    np.save(tmp_path / "frames.npy", np.arange(4, dtype=np.float32).reshape(2, 2))

    assert values(Source("data", tmp_path, SIZES, "model.data.calibration").parts()) == [[[0, 1], [2, 3]]]


def test_an_archive_whose_arrays_differ_in_length(tmp_path: Path) -> None:
    """One of a folder, by its name."""
    np.savez(tmp_path / "a.npz", image=np.zeros((2, 2)), label=np.zeros(3))
    with pytest.raises(DataError, match=r"data: arrays of a\.npz differ in length"):
        Source("data", tmp_path, SIZES, "model.data.calibration", ["label"]).parts()


def test_arrays_of_objects_are_told_of_a_folder(tmp_path: Path) -> None:
    """numpy makes them from samples of several sizes."""
    ragged = np.empty(2, object)
    ragged[:] = [np.zeros(2), np.zeros(3)]
    np.savez(tmp_path / "a.npz", image=ragged, allow_pickle=True)
    with pytest.raises(DataError, match=r"array of objects.*; samples of several sizes: a folder of \.npz files"):
        Source("data", tmp_path / "a.npz", SIZES, "model.data.calibration").parts()


def test_a_generator_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bytes that it has yielded, before the disk is full."""
    monkeypatch.setattr(samplesizes, "MOST_BYTES", 1_000)
    endless = ({"x": np.zeros(10, np.float32)} for _ in itertools.count())
    with pytest.raises(DataError, match="and goes on"):
        samplesizes.collected(endless, "data:endless", ["x"], None)
