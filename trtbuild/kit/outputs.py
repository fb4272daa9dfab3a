"""A session's outputs on all samples, as one .npz with an array for each output."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.kit.data import Samples, rows_per_call
from trtbuild.runtimes import Session

BATCH = 8  # samples a call, within the profile; large enough to amortise a call, small enough for any memory


def run_all(session: Session, samples: Samples, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Outputs over all samples, joined along their first axis (a scalar output becomes one entry a call)."""
    rows = set(rows_per_call(inputs, BATCH).values())
    parts: dict[str, list[np.ndarray[Any, Any]]] = {}
    for batch in samples.batches(inputs, BATCH):
        for name, value in session.run(batch.feeds).items():
            array = np.atleast_1d(np.asarray(value))
            if batch.padded and len(array) in rows:
                array = array[: batch.rows]
            parts.setdefault(name, []).append(array)
    return {name: _join(arrays) for name, arrays in parts.items()}


def _join(arrays: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    tails = {array.shape[1:] for array in arrays}
    if len(tails) == 1:
        return np.concatenate(arrays)
    return np.concatenate([array.ravel() for array in arrays])  # shapes depend on the data: compare elements


def save(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write an .npz; equal arrays give equal bytes (entries carry a fixed date).

    Not ``numpy.savez``: it takes names as keyword arguments, and an output may be called ``file``.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(arrays):
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(arrays[name]), allow_pickle=False)


def load(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
