"""Samples of a data source, checked against the model's inputs and streamed in batches.

A source is an ``.npz`` file, a folder (one ``.npy`` per key, or ``.npz`` files), seeded random numbers, or a callable.
Arrays are stored compactly (uint8 images, say), stay on disk and are cast to the input's dtype when read: memory does
not grow with the number of samples.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays.arrayfile import BLOCK_ELEMENTS, Array, Rows, StoredArray, open_npy, open_npz
from trtbuild.arrays.samplesizes import collected
from trtbuild.base.callables import load_callable
from trtbuild.base.errors import DataError
from trtbuild.base.names import did_you_mean

if TYPE_CHECKING:
    from trtbuild.core.recipes import DataParams, InputParams

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


def open_samples(
    source: str | DataParams,
    path: Path | None,
    inputs: Inputs,
    where: str,
    labels: Sequence[str] = (),
    scratch: Path | None = None,
) -> Samples:
    """Open a data source of one size and check it against the inputs.

    Args:
        source: one source of the config's ``data``; path: its file, when it is one.
        labels: further keys that must be there, with one entry for each sample.
        scratch: where unnamed files may hold what is drawn, yielded or decompressed (default: the system's place).

    Raises:
        DataError: wrong keys, shapes, dtypes or lengths, no sample, samples of several sizes, unreadable file.
    """
    first, *others = open_sizes(source, path, inputs, where, labels, scratch)
    if others:
        key, before, after = next(
            (key, list(a), list(b))
            for key in (*inputs, *labels)
            if (a := first.arrays[key].shape[1:]) != (b := others[0].arrays[key].shape[1:])
        )
        place = source if isinstance(source, str) else source["callable"]
        hint = "calibration alone takes samples of several sizes"
        raise DataError(f"samples differ in shape: '{key}' has {after} after {before}", where=place, hint=hint)
    return first


def open_sizes(
    source: str | DataParams,
    path: Path | None,
    inputs: Inputs,
    where: str,
    labels: Sequence[str] = (),
    scratch: Path | None = None,
) -> tuple[Samples, ...]:
    """As :func:`open_samples`, and samples of several sizes are several parts, each of one size, in their order."""
    wanted = (*inputs, *labels)
    if isinstance(source, str):
        assert path is not None
        parts, where = _read(path, source, inputs, wanted, scratch), source
    elif source["kind"] == "random":
        parts = [_random(inputs, source["count"], source["seed"], scratch)]
    else:
        parts = collected(_yielded(source, where), source["callable"], wanted, scratch)
    return tuple(_checked(arrays, inputs, where, labels) for arrays in parts)


def _read(path: Path, where: str, inputs: Inputs, wanted: Sequence[str], scratch: Path | None) -> Sequence[Stored]:
    try:
        if path.is_dir():
            return _read_folder(path, where, inputs, wanted, scratch)
        if not zipfile.is_zipfile(path):
            raise DataError("not an .npz file", where=where, hint="write it with numpy.savez, an array for each input")
        return [open_npz(path, scratch)]
    except ValueError as error:
        hint = "samples of several sizes: a folder of .npz files, each of one size" if "objects" in str(error) else ""
        raise DataError(f"not a readable .npz file: {error}", where=where, hint=hint) from None


def _read_folder(
    path: Path, where: str, inputs: Inputs, wanted: Sequence[str], scratch: Path | None
) -> Sequence[Stored]:
    """One .npy for each key; or .npz files, each of one size; or, for one input, an .npy for each sample."""
    files, archives = sorted(path.glob("*.npy")), sorted(path.glob("*.npz"))
    if not files and not archives:
        hint = "one .npy for each input, named after it, or .npz files"
        raise DataError("no .npy file in it", where=where, hint=hint)
    if archives and not files:
        rows = (row for archive in archives for row in _rows(open_npz(archive, scratch), archive, where))
        return collected(rows, where, wanted, scratch)
    if len(inputs) == 1 and not {file.stem for file in files} & set(wanted):
        ((name, spec),) = inputs.items()
        arrays = (np.asarray(open_npy(file)) for file in files)
        samples = (row for a in arrays for row in (a if a.ndim == len(spec["shape"]) else a[np.newaxis]))
        return collected(({name: sample} for sample in samples), where, wanted, scratch)
    return [{file.stem: open_npy(file) for file in files}]


def _rows(arrays: Stored, file: Path, where: str) -> Iterator[Arrays]:
    lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
    if len(lengths) != 1:
        raise DataError(f"arrays of {file.name} differ in length", where=where)
    for row in range(lengths.pop()):
        yield {key: np.asarray(array[row : row + 1])[0] for key, array in arrays.items()}


def _random(inputs: Inputs, count: int, seed: int, scratch: Path | None) -> Stored:
    """Uniform numbers in every input's range; integers and booleans are drawn as integers.

    Drawn block by block: a generator gives the same numbers however its draws are cut.
    """
    made: dict[str, Array | StoredArray] = {}
    rows = rows_per_call(inputs, 1)
    alike = _alike(rows)
    for index, (name, spec) in enumerate(sorted(inputs.items())):
        generator = np.random.default_rng([seed, index])
        low, high = spec["range"]
        tail, drawn = _opt_shape(spec)[1:], Rows(scratch)
        block = max(1, BLOCK_ELEMENTS // max(1, math.prod(tail)))
        total = count * rows.get(name, 1)
        for start in range(0, total, block):
            shape = (min(block, total - start), *tail)
            if np.dtype(spec["dtype"]).kind in "iub":
                drawn.append(generator.integers(int(low), max(int(high), int(low) + 1), shape).astype(spec["dtype"]))
            else:
                drawn.append(generator.uniform(low, high, shape).astype(spec["dtype"]))
        # Of a scalar one value for each call.
        made[name] = drawn.stored() if spec["shape"] else np.repeat(np.asarray(drawn.stored()[:]), alike)
    return made


def _alike(rows: Mapping[str, int]) -> int:
    """Samples of one call that is as small as can be: of inputs with different static first dimensions, the call."""
    return next(iter(rows.values())) if len(set(rows.values())) == 1 else 1


def _opt_shape(spec: InputParams) -> list[int]:
    opt = (spec.get("profile") or {}).get("opt", 0)
    return [opt if d is None else d for d in spec["shape"]] if isinstance(opt, int) else list(opt)


def _yielded(source: DataParams, where: str) -> Iterator[Arrays]:
    make = load_callable(source["callable"], f"{where}.callable")
    try:
        for sample in make(**source["arguments"]):
            yield {key: np.asarray(value) for key, value in sample.items()}
    except Exception as error:  # the user's own code
        raise DataError(f"it failed: {type(error).__name__}: {error}", where=source["callable"]) from error


def _checked(arrays: Stored, inputs: Inputs, where: str, labels: Sequence[str]) -> Samples:
    scalars = [name for name, spec in inputs.items() if not spec["shape"]]
    for key in (*inputs, *labels):
        if key not in arrays:
            raise DataError(f"no array '{key}'", where=where, hint=did_you_mean(key, arrays))
    rows = rows_per_call(inputs, 1)
    alike, least = _alike(rows), min(rows.values(), default=1)
    units = dict.fromkeys((*inputs, *labels), least) | rows | dict.fromkeys(scalars, alike)
    arrays = _spread(arrays, [name for name in scalars if not arrays[name].ndim], units)
    for key in (*inputs, *labels):
        if not (arrays[key].ndim and len(arrays[key])):
            raise DataError(f"'{key}' holds no sample", where=where)
        if arrays[key].dtype.kind not in "fiub":
            raise DataError(f"'{key}' has dtype {arrays[key].dtype}", where=where, hint="store numbers")
    for name, spec in inputs.items():
        _check_array(name, arrays[name], spec, where)
    counts = {key: len(arrays[key]) / unit for key, unit in units.items()}
    if len(set(counts.values())) > 1:
        lengths = ", ".join(f"{key} {len(arrays[key])}" for key in counts)
        raise DataError(f"arrays differ in length: {lengths}", where=where)
    return Samples(arrays, len(arrays[next(iter(rows or inputs))]), where)


def _spread(arrays: Stored, names: Sequence[str], units: Mapping[str, int]) -> Stored:
    """Scalars that are one value for all samples, as one for each; ``units``: how many rows of a key are a call."""
    calls = next((len(arrays[key]) // unit for key, unit in units.items() if arrays[key].ndim), 1)
    return {**arrays, **{name: np.broadcast_to(np.asarray(arrays[name]), (calls * units[name],)) for name in names}}


def _check_array(name: str, array: Array | StoredArray, spec: InputParams, where: str) -> None:
    shape, tail = spec["shape"], tuple(array.shape[1:])
    if len(tail) != len(shape[1:]) or any(d not in (None, t) for d, t in zip(shape[1:], tail, strict=True)):
        wanted = "[" + ", ".join("null" if d is None else str(d) for d in shape[1:]) + "]"
        raise DataError(f"samples of '{name}' have shape {list(tail)}, the model wants {wanted}", where=where)
    if array.dtype.kind == "f" and np.dtype(spec["dtype"]).kind in "iub":
        raise DataError(f"'{name}' is {array.dtype}, the model wants {spec['dtype']}", where=where)
