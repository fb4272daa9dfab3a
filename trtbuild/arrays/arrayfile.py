"""Arrays that stay in their files: read by rows, written by rows, so that memory does not grow with their length.

The .npy format is numpy's (numpy.lib.format, version 1 to 3); an .npz is a zip archive of them.  Rows are read into
memory of their own, not mapped: mapped pages count as this process's memory once they are touched.
"""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from trtbuild.base.archives import check_expansion

if TYPE_CHECKING:
    import numpy.typing as npt

_ZIP64 = 45  # the version of the format that has it
_DAMAGED = (ValueError, EOFError, SyntaxError, RuntimeError, LookupError, TypeError, ArithmeticError, MemoryError)
Array = np.ndarray
CHUNK_BYTES = 1 << 20  # copied at once; larger ones are no faster
BLOCK_ELEMENTS = 1 << 17  # of one block of rows: 1 MB as float64; twice that was slower (page faults of each new block)


@dataclass(frozen=True)
class StoredArray:
    """An array in an open file, ``offset`` bytes into it.  Slices of whole rows are read when asked for."""

    file: IO[bytes]
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        start, stop, step = rows.indices(len(self))
        assert step == 1, "whole rows, in their order"
        if self.fortran:
            return np.ascontiguousarray(self.mapped()[start:stop])  # its rows are scattered: let the kernel find them
        shape = (max(0, stop - start), *self.shape[1:])
        made = np.empty(shape, self.dtype)
        view = _bytes(made)
        place, done = self.offset + start * prod(self.shape[1:]) * self.dtype.itemsize, 0
        while done < len(view):
            got = os.preadv(self.file.fileno(), [view[done:]], place + done)
            if not got:
                raise ValueError("the file ends inside an array")
            done += got
        return made

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self[:] if self.ndim else self.mapped(), dtype=dtype)

    def mapped(self) -> Array:
        """The whole array as a memory map, for code that wants a numpy array; what that writes stays its own."""
        if not self.size:
            return np.empty(self.shape, self.dtype)
        order = "F" if self.fortran else "C"
        return np.memmap(self.file, self.dtype, "c", self.offset, self.shape or (1,), order=order).reshape(self.shape)  # type: ignore[call-overload, no-any-return]


def rows_of(array: Array | StoredArray, elements: int = BLOCK_ELEMENTS) -> Iterator[tuple[int, Array]]:
    """Blocks of whole rows with the index of their first one, each of at most ``elements`` (but at least one row)."""
    rows = max(1, elements // max(1, prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]


@dataclass
class Rows:
    """An array that grows by rows in an unnamed file in ``where``, which vanishes with its last reader."""

    where: Path | None = None

    def __post_init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=self.where)  # noqa: SIM115  # closed with its last reader
        self.dtype: np.dtype | None = None
        self.tail: tuple[int, ...] | None = None
        self.rows = 0
        self.elements = 0
        self.flat = False

    def append(self, rows: Array) -> None:
        """Add rows.  From the first one of another shape on, the array is flat: its elements in their order."""
        if self.dtype is None:
            self.dtype, self.tail = rows.dtype, rows.shape[1:]
        elif rows.dtype != self.dtype:
            self._widen(np.result_type(self.dtype, rows.dtype))
        self.flat = self.flat or rows.shape[1:] != self.tail
        self._file.write(_bytes(np.ascontiguousarray(rows, self.dtype)))  # not tofile: a full disk has no errno there
        self.rows += len(rows)
        self.elements += rows.size

    def _widen(self, dtype: np.dtype) -> None:
        """numpy's own promotion, for what is already written."""
        if dtype != self.dtype:
            wider = Rows(self.where)
            wider.dtype = dtype
            for _, block in rows_of(self.stored(flat=True)):
                wider._file.write(_bytes(block.astype(dtype)))
            self._file, self.dtype = wider._file, dtype

    def stored(self, *, flat: bool = False) -> StoredArray:
        assert self.dtype is not None and self.tail is not None
        self._file.flush()
        shape = (self.elements,) if self.flat or flat else (self.rows, *self.tail)
        return StoredArray(self._file, 0, shape, self.dtype)


def open_npy(path: Path) -> StoredArray:
    """An array of an .npy file.  Raises ValueError when it is not one, or an array of objects."""
    with _damage_named():
        file = path.open("rb")
        return _array_at(file, path.stat().st_size)


def open_npz(path: Path, scratch: Path | None = None, *, verify: bool = True) -> dict[str, StoredArray]:
    """The arrays of an .npz, by name; compressed ones are decompressed once into unnamed files in ``scratch``.

    Args:
        verify: read everything once and compare its checksums; not needed for a file whose digest is known.

    Raises:
        ValueError: it is damaged, or has an array of objects.  OSError: it cannot be read.
    """
    made: dict[str, StoredArray] = {}
    with _damage_named(), zipfile.ZipFile(path) as archive:
        packed = (entry.file_size for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED)
        check_expansion(path, packed, into=scratch or Path(tempfile.gettempdir()))
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            name = entry.filename.removesuffix(".npy")
            if entry.compress_type == zipfile.ZIP_STORED:
                if verify:
                    _drain(archive, entry)
                file = path.open("rb")
                file.seek(_data_offset(file, entry))
            else:
                file = tempfile.TemporaryFile(dir=scratch)  # type: ignore[assignment]  # noqa: SIM115
                _drain(archive, entry, file)
                file.seek(0)
            made[name] = _array_at(file, file.tell() + entry.file_size)
    return made


@contextlib.contextmanager
def _damage_named() -> Iterator[None]:
    """Whatever zipfile, its decompressors and numpy's header reader raise on foreign bytes becomes a ValueError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise  # a full disk or a missing permission says nothing about the file
        raise ValueError(_words(error)) from error
    except (*_DAMAGED, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError) as error:
        raise ValueError(_words(error)) from error


def _words(error: Exception) -> str:
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return (said.splitlines() or [type(error).__name__])[0]


class _Entry(zipfile.ZipInfo):
    """A ZIP64 entry as Python writes it since 3.11.4; before, it wrote other bytes for the same (gh-103861)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.create_version = self.extract_version = _ZIP64

    def FileHeader(self, zip64: bool | None = None) -> bytes:
        header = super().FileHeader(zip64)
        return header[:18] + b"\xff" * 8 + header[26:]  # the two sizes, which are in the extra field


def write_npz(
    path: Path | IO[bytes], arrays: Mapping[str, npt.ArrayLike | StoredArray], *, texts: bool = False
) -> None:
    """Write an .npz from arrays or stored arrays; equal arrays give equal bytes (entries carry a fixed date).

    Not ``numpy.savez``: it takes names as keyword arguments, and an output may be called ``file``.

    Args:
        texts: arrays may be of Python objects, which only a trusted file may be read with.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(arrays):
            array = arrays[name]
            with archive.open(_Entry(f"{name}.npy"), "w", force_zip64=True) as entry:
                if not isinstance(array, StoredArray):
                    np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=texts)
                    continue
                about = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False}
                np.lib.format.write_array_header_1_0(entry, {**about, "shape": array.shape})
                for _, rows in rows_of(array):
                    entry.write(_bytes(rows))


def _drain(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, into: IO[bytes] | None = None) -> None:
    """Read an entry to its end, where zipfile compares the checksum."""
    with archive.open(entry) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            if into is not None:
                into.write(chunk)
    if into is not None:
        into.flush()


def _data_offset(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Where an entry's bytes begin: its local header has lengths of its own (APPNOTE.TXT, 4.3.7)."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if header[:4] != b"PK\x03\x04" or entry.flag_bits & 1:
        raise zipfile.BadZipFile("no readable entry where the directory points")
    name, extra = struct.unpack("<HH", header[26:30])
    return entry.header_offset + 30 + int(name) + int(extra)


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def _array_at(file: IO[bytes], end: int) -> StoredArray:
    """Read an .npy header at the file's position; ``end`` is where its bytes must end at the earliest."""
    version = np.lib.format.read_magic(file)
    if version not in _READERS:
        raise ValueError(f"version {version} of the .npy format")  # 3: field names, which are not numbers
    shape, fortran, dtype = _READERS[version](file)
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"the shape {shape!r:.80}")
    if dtype.hasobject:
        raise ValueError("an array of objects, which could run code")
    found = StoredArray(file, file.tell(), tuple(shape), dtype, bool(fortran) and len(shape) > 1)
    if found.offset + found.size * dtype.itemsize > end:
        raise ValueError("the file ends inside an array")
    return found
