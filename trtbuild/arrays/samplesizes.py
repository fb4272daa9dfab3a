"""Samples one by one, of any sizes, to arrays in unnamed files: one part for each run of samples of one size."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trtbuild.arrays.arrayfile import Array, Rows, StoredArray
from trtbuild.base.errors import DataError

MOST_BYTES = 64 << 30  # of samples; half of what is free, where that is less: a generator may not end
Sample = Mapping[str, Array]
Part = Mapping[str, Array | StoredArray]


@dataclass
class Run:
    """``count`` samples of one size; ``starts``: the element of each key's file where they begin."""

    shapes: Mapping[str, tuple[int, ...]]
    starts: Mapping[str, int]
    count: int = 0

    def arrays(self, stored: Mapping[str, StoredArray]) -> dict[str, StoredArray]:
        return {
            key: replace(all_of, offset=self.starts[key] * all_of.dtype.itemsize, shape=(self.count, *self.shapes[key]))
            for key, all_of in stored.items()
            if key in self.shapes
        }


def collected(samples: Iterable[Sample], where: str, wanted: Sequence[str], scratch: Path | None) -> Sequence[Part]:
    """Parts in the order of the samples, which lack the first dimension.

    A file for each key holds all of its runs, so their number costs nothing.  For keys that nobody reads, only the name
    is kept.
    """
    spools: dict[str, Rows] = {}
    unread: dict[str, Array] = {}
    runs: list[Run] = []
    most, taken = min(MOST_BYTES, shutil.disk_usage(scratch or tempfile.gettempdir()).free // 2), 0
    for sample in samples:
        unread |= {key: np.empty(0) for key in sample if key not in wanted}
        values = {key: value for key, value in sample.items() if key in wanted}
        taken += sum(value.nbytes for value in values.values())
        if taken > most:
            raise DataError(f"it has yielded {taken / 1e9:.2g} GB, and goes on", where=where, hint="let it end sooner")
        for key, value in values.items():
            if value.dtype.kind not in "fiub":
                raise DataError(f"'{key}' has dtype {value.dtype}", where=where, hint="yield numbers")
        shapes = {key: value.shape for key, value in values.items()}
        if not runs or runs[-1].shapes != shapes:
            runs.append(Run(shapes, {key: spools[key].elements if key in spools else 0 for key in shapes}))
        runs[-1].count += 1
        for key, value in values.items():
            spools.setdefault(key, Rows(scratch)).append(value[np.newaxis])
    stored = {key: rows.stored(flat=True) for key, rows in spools.items()}
    return [{**unread, **run.arrays(stored)} for run in runs] or [unread]
