"""The slices of a data set: arrays that name, for each sample, the part of the data that it belongs to."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtbuild.arrays.arrayfile import Array, StoredArray, open_npy, open_npz
from trtbuild.base.errors import DataError
from trtbuild.base.text import printable
from trtbuild.documents.task import ALL, CLASS

WHERE = "model.data.slices"
MOST = 1000  # names in one array; more are not slices but something like an id


@dataclass(frozen=True)
class Slices:
    """One array: ``codes[i]`` is the index in ``names`` of sample i's slice."""

    name: str
    names: tuple[str, ...]
    codes: Array


def read_slices(path: Path, samples: int, shown: str) -> list[Slices]:
    """The arrays of an ``.npz`` by name, or the one of an ``.npy``, which its file names.

    Args:
        samples: how many entries each must have; shown: what messages call the file.

    Raises:
        DataError: unreadable, of another length or kind (floats are not names), or with too many different values.
    """
    try:
        stored: Mapping[str, StoredArray]
        stored = open_npz(path) if zipfile.is_zipfile(path) else {path.stem: open_npy(path)}
    except ValueError as error:
        hint = "write it with numpy.save or numpy.savez: integers or strings"
        raise DataError(f"not a readable .npy or .npz file: {error}", where=shown, hint=hint) from None
    if not stored:
        raise DataError("no array in it", where=shown, hint=f"{WHERE} needs one entry for each sample")
    return [_slices(name, np.asarray(array.mapped()), samples, shown) for name, array in sorted(stored.items())]


def _slices(name: str, array: Array, samples: int, shown: str) -> Slices:
    if name in (ALL, CLASS):
        raise DataError(f"an array of slices cannot be called '{name}'", where=shown, hint="name what it slices by")
    if array.dtype.kind not in "iubUS":
        hint = "give integers or strings; for ranges of a number: numpy.digitize"
        raise DataError(f"'{name}' has dtype {array.dtype}, which names no slices", where=shown, hint=hint)
    if array.ndim != 1 or len(array) != samples:
        what = f"'{name}' has shape {list(array.shape)}, but there are {samples} samples"
        raise DataError(what, where=shown, hint=f"{WHERE} needs one entry for each sample")
    values, codes = np.unique(array, return_inverse=True)
    if len(values) > MOST:
        what = f"'{name}' names {len(values)} slices of {samples} samples, more than {MOST}"
        raise DataError(what, where=shown, hint="a slice is a part of the data, such as night or rain")
    names = tuple(_text(value) for value in values.tolist())
    return Slices(name, names, codes.astype(np.int64))


def _text(value: object) -> str:
    return printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
