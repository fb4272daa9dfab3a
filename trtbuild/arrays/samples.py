"""Samples that were checked against a model's inputs, cut into the calls that it takes.

Arrays are stored compactly (uint8 images, say), stay on disk and are cast to the input's dtype when read: memory does
not grow with the number of samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays.arrayfile import Array, StoredArray
from trtbuild.base.errors import DataError

if TYPE_CHECKING:
    from trtbuild.core.recipes import InputParams

    Inputs = Mapping[str, InputParams]

Arrays = dict[str, Array]
Stored = Mapping[str, Array | StoredArray]


@dataclass(frozen=True)
class Batch:
    """Feeds of one call, and how many of its leading rows are samples (the rest pads a static batch).

    Where inputs have different static first dimensions, rows are 0: a whole call is one sample.
    """

    feeds: Arrays
    rows: int
    padded: bool


@dataclass(frozen=True)
class Samples:
    """Samples of one source: ``arrays[key]`` has the shape [count, ...]; ``where`` names it in errors."""

    arrays: Stored
    count: int
    where: str

    def batches(self, inputs: Inputs, size: int) -> Iterator[Batch]:
        """Calls of at most ``size`` samples, cast to each input's dtype and checked for NaN and infinity.

        Inputs that share one batch dimension are cut alike, the last call of a static batch padded with copies of the
        last sample.  Inputs with different static first dimensions are cut into that many rows a call each.  A scalar
        has one value a call, so a call ends where its value changes.
        """
        rows = rows_per_call(inputs, size)
        if len(set(rows.values())) > 1:
            calls = min(len(self.arrays[name]) // n for name, n in rows.items())
            if not calls:
                wanted = ", ".join(f"{name} {n}" for name, n in rows.items())
                raise DataError("too few rows for one call", where=self.where, hint=f"a call takes {wanted}")
            for call in range(calls):
                feeds = {n: self._slice(n, inputs[n], call * count, count) for n, count in rows.items()}
                yield Batch(feeds | self._scalars(inputs, call), 0, False)
            return
        static = any(inputs[name]["shape"][0] is not None for name in rows)
        for start, got in self._cuts(inputs, next(iter(rows.values()), 1)):
            size = next(iter(rows.values()), 1)
            feeds = {name: self._slice(name, inputs[name], start, got) for name in rows}
            padded = static and got < size
            if padded:
                feeds = {n: np.concatenate([a, np.repeat(a[-1:], size - got, axis=0)]) for n, a in feeds.items()}
            yield Batch(feeds | self._scalars(inputs, start), got if rows else 0, padded)

    def _cuts(self, inputs: Inputs, size: int) -> Iterator[tuple[int, int]]:
        """(first sample, how many) of each call."""
        scalars = [np.asarray(self.arrays[name][:]) for name, spec in inputs.items() if not spec["shape"]]
        start = 0
        while start < self.count:
            got = min(size, self.count - start)
            for values in scalars:
                other = np.flatnonzero(values[start : start + got] != values[start])
                got = int(other[0]) if len(other) else got
            yield start, max(got, 1)  # NaN differs from itself, and is refused when it is read
            start += max(got, 1)

    def _scalars(self, inputs: Inputs, index: int) -> Arrays:
        return {n: self._slice(n, s, index, 1).reshape(()) for n, s in inputs.items() if not s["shape"]}

    def some(self, most: int) -> Samples:
        """At most so many of them, the same ones in whatever order they are stored: those of the smallest digests.

        All of them where inputs are cut into different numbers of rows.
        """
        if self.count <= most or not self.is_cut_alike(self.arrays):
            return self
        chosen = sorted(range(self.count), key=lambda i: self.digest(i, self.arrays))[:most]
        picked = {n: np.concatenate([np.asarray(a[i : i + 1]) for i in chosen]) for n, a in self.arrays.items()}
        return Samples(picked, most, self.where)

    def is_cut_alike(self, names: Iterable[str]) -> bool:
        """Whether row ``i`` of each of these arrays is of sample ``i``."""
        return all(len(self.arrays[name]) == self.count for name in names)

    def digest(self, index: int, names: Iterable[str]) -> bytes:
        digest = hashlib.sha256()
        for name in sorted(names):
            digest.update(np.ascontiguousarray(self.arrays[name][index : index + 1]).tobytes())
        return digest.digest()

    def mapped(self, key: str) -> Array:
        """One whole array, as a memory map where it lies in a file."""
        array = self.arrays[key]
        return array.mapped() if isinstance(array, StoredArray) else array

    def _slice(self, name: str, spec: InputParams, start: int, size: int) -> Array:
        raw = np.asarray(self.arrays[name][start : start + size])
        if raw.dtype.kind == "f" and not np.isfinite(raw).all():
            bad = start + int(np.argwhere(~np.isfinite(raw))[0][0])
            raise DataError(f"'{name}' has NaN or infinity in sample {bad}", where=self.where)
        with np.errstate(over="ignore"):
            cast = raw.astype(spec["dtype"], casting="unsafe", copy=False)
        wrapped = cast.dtype.kind in "iu" and not np.array_equal(raw, cast)
        if wrapped or (cast.dtype.kind == "f" and not np.isfinite(cast).all()):
            raise DataError(f"'{name}' has values that do not fit {spec['dtype']}", where=self.where)
        return cast


def different(parts: Iterable[Samples], inputs: Inputs, most: int) -> int | None:
    """How many samples differ from each other, counted up to ``most``; None: it cannot be told of each part."""
    found: set[bytes] = set()
    for part in parts:
        if not part.is_cut_alike(inputs):
            return None
        for i in range(part.count):
            found.add(part.digest(i, inputs))
            if len(found) >= most:
                return most
    return len(found)


def rows_per_call(inputs: Inputs, wanted: int) -> dict[str, int]:
    """Rows of every input in one call: a static first dimension as it is, else ``wanted`` within the profiles.

    Scalars have none.
    """
    inputs = {name: spec for name, spec in inputs.items() if spec["shape"]}
    static = {name: int(s["shape"][0]) for name, s in inputs.items() if s["shape"][0] is not None}
    limits = [top for name, s in inputs.items() if name not in static and (top := _profile_batch(s, "max"))]
    free = min(static.values()) if static else max(1, min([wanted, *limits]))
    return {name: static.get(name, free) for name in inputs}


def _profile_batch(spec: InputParams, point: str) -> int | None:
    shape = (spec.get("profile") or {}).get(point)
    return None if shape is None else int(shape if isinstance(shape, int) else shape[0])
