"""Data sources of a config, opened as samples and checked against a model's inputs.

A source is an ``.npz`` file, a folder (one ``.npy`` per key, or ``.npz`` files), seeded random numbers, or a callable.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays.arrayfile import BLOCK_ELEMENTS, Array, Rows, StoredArray, open_npy, open_npz
from trtbuild.arrays.samples import Arrays, Samples, Stored, rows_per_call
from trtbuild.arrays.samplesizes import collected
from trtbuild.base.callables import calling, load_callable
from trtbuild.base.environment import looked_up
from trtbuild.base.errors import DataError
from trtbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from trtbuild.core.recipes import DataParams, InputParams

    Inputs = Mapping[str, InputParams]


@dataclass(frozen=True)
class Source:
    """A data source of a step, for a model with these inputs.

    Args:
        spec: as the recipe has it; path: its file or folder, when it is one.
        where: the place in the config, for errors.
        labels: further keys that must be there, with one entry for each sample.
        scratch: where unnamed files may hold what is drawn, yielded or decompressed (default: the system's place).
    """

    spec: str | DataParams
    path: Path | None
    inputs: Inputs
    where: str
    labels: Sequence[str] = ()
    scratch: Path | None = None

    def samples(self) -> Samples:
        """Samples of one size.

        Raises:
            DataError: wrong keys, shapes, dtypes or lengths, no sample, samples of several sizes, unreadable file.
        """
        first, *others = self.parts()
        if others:
            key, before, after = next(
                (key, list(a), list(b))
                for key in self._keys
                if (a := first.arrays[key].shape[1:]) != (b := others[0].arrays[key].shape[1:])
            )
            what = f"samples differ in shape: '{key}' has {after} after {before}"
            raise DataError(what, where=self._name, hint="calibration alone takes samples of several sizes")
        return first

    def parts(self) -> tuple[Samples, ...]:
        """The samples in their order, a part for each run of one size; raises what :meth:`samples` does."""
        where = self.spec if isinstance(self.spec, str) else self.where
        return tuple(_checked(arrays, self.inputs, where, self.labels) for arrays in self._arrays())

    @property
    def _keys(self) -> tuple[str, ...]:
        return (*self.inputs, *self.labels)

    @property
    def _name(self) -> str:
        """The file or the callable."""
        return self.spec if isinstance(self.spec, str) else self.spec.get("callable", self.where)

    def _arrays(self) -> Sequence[Stored]:
        if isinstance(self.spec, str):
            return self._read()
        if self.spec["kind"] == "random":
            return [_random(self.inputs, self.spec["count"], self.spec["seed"], self.scratch)]
        return self._collected(_yielded(self.spec, self.where))

    def _collected(self, samples: Iterable[Arrays]) -> Sequence[Stored]:
        return collected(samples, self._name, self._keys, self.scratch)

    def _read(self) -> Sequence[Stored]:
        assert self.path is not None
        try:
            if self.path.is_dir():
                return self._read_folder(self.path)
            if not zipfile.is_zipfile(self.path):
                hint = "write it with numpy.savez, an array for each input"
                raise DataError("not an .npz file", where=self._name, hint=hint)
            return [open_npz(self.path, self.scratch)]
        except ValueError as error:
            several = "samples of several sizes: a folder of .npz files, each of one size"
            hint = several if "objects" in str(error) else ""
            raise DataError(f"not a readable .npz file: {error}", where=self._name, hint=hint) from None

    def _read_folder(self, folder: Path) -> Sequence[Stored]:
        """One .npy for each key; or .npz files, each of one size; or, for one input, an .npy for each sample."""
        files, archives = sorted(folder.glob("*.npy")), sorted(folder.glob("*.npz"))
        if not files and not archives:
            hint = "one .npy for each input, named after it, or .npz files"
            raise DataError("no .npy file in it", where=self._name, hint=hint)
        if archives and not files:
            return self._collected(row for file in archives for row in self._rows(file))
        if len(self.inputs) == 1 and not {file.stem for file in files} & set(self._keys):
            ((name, spec),) = self.inputs.items()
            arrays = (np.asarray(open_npy(file)) for file in files)
            samples = (row for a in arrays for row in (a if a.ndim == len(spec["shape"]) else a[np.newaxis]))
            return self._collected({name: sample} for sample in samples)
        return [{file.stem: open_npy(file) for file in files}]

    def _rows(self, file: Path) -> Iterator[Arrays]:
        arrays = open_npz(file, self.scratch)
        lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
        if len(lengths) != 1:
            raise DataError(f"arrays of {file.name} differ in length", where=self._name)
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
        # A scalar has one value for each call.
        made[name] = drawn.stored() if spec["shape"] else np.repeat(np.asarray(drawn.stored()[:]), alike)
    return made


def _alike(rows: Mapping[str, int]) -> int:
    """Samples in the smallest possible call; 1 where inputs have different static first dimensions."""
    return next(iter(rows.values())) if len(set(rows.values())) == 1 else 1


def _opt_shape(spec: InputParams) -> list[int]:
    opt = (spec.get("profile") or {}).get("opt", 0)
    return [opt if d is None else d for d in spec["shape"]] if isinstance(opt, int) else list(opt)


def _yielded(source: DataParams, where: str) -> Iterator[Arrays]:
    make = load_callable(source["callable"], f"{where}.callable")
    arguments = looked_up(source["arguments"], f"{where}.arguments")
    try:
        with calling(source["callable"]):
            for sample in make(**arguments):
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
    """One value for each sample of scalars that have one for all; ``units``: how many rows of a key make a call."""
    calls = next((len(arrays[key]) // unit for key, unit in units.items() if arrays[key].ndim), 1)
    return {**arrays, **{name: np.broadcast_to(np.asarray(arrays[name]), (calls * units[name],)) for name in names}}


def _check_array(name: str, array: Array | StoredArray, spec: InputParams, where: str) -> None:
    shape, tail = spec["shape"], tuple(array.shape[1:])
    if len(tail) != len(shape[1:]) or any(d not in (None, t) for d, t in zip(shape[1:], tail, strict=True)):
        wanted = "[" + ", ".join("null" if d is None else str(d) for d in shape[1:]) + "]"
        raise DataError(f"samples of '{name}' have shape {list(tail)}, the model wants {wanted}", where=where)
    if array.dtype.kind == "f" and np.dtype(spec["dtype"]).kind in "iub":
        raise DataError(f"'{name}' is {array.dtype}, the model wants {spec['dtype']}", where=where)
