"""Tests of arrays that stay in their files."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbuild.arrays.arrayfile import Rows, StoredArray, open_npy, open_npz, rows_of, write_npz

NPZ_MD5 = "825106a6ce4bab67f8148558f9dccbce"
ARRAYS: dict[str, Any] = {
    "f": np.arange(24, dtype=np.float32).reshape(4, 3, 2), "half": np.float16([[1.5], [-2]]), "flag": np.array([True]),
    "big": np.arange(3, dtype=">i8"),
    "none": np.zeros((0, 3)), "fortran": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
}  # fmt: skip


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
@pytest.mark.parametrize("name", ARRAYS)
def test_any_slice_of_rows_is_numpys(tmp_path: Path, save: Any, name: str) -> None:
    """Stored or compressed, of any dtype, byte order and memory order; also as a whole, and mapped."""
    save(tmp_path / "a.npz", **ARRAYS)
    found, whole = open_npz(tmp_path / "a.npz")[name], ARRAYS[name]

    assert (found.shape, found.dtype, found.ndim) == (whole.shape, whole.dtype, whole.ndim)
    for rows in (slice(None), slice(1, 3), slice(2, 99), slice(-1, None)):
        np.testing.assert_array_equal(found[rows], whole[rows])
    np.testing.assert_array_equal(np.asarray(found), whole)
    np.testing.assert_array_equal(found.mapped(), whole)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=list(ARRAYS))
def test_an_npy_file_is_read_alike(tmp_path: Path, array: Any) -> None:
    """A folder of them is a data source."""
    np.save(tmp_path / "a.npy", array)

    np.testing.assert_array_equal(open_npy(tmp_path / "a.npy")[0:2], array[0:2])


def test_an_npz_has_the_same_bytes_in_every_python(tmp_path: Path) -> None:
    """Those of zipfile since Python 3.11.4; tests/integration/test_pythons.py compares others with them."""
    write_npz(tmp_path / "a.npz", {"a": np.arange(5, dtype=np.float32), "b": np.array(True)})

    assert hashlib.md5((tmp_path / "a.npz").read_bytes()).hexdigest() == NPZ_MD5


def test_an_npz_is_written_as_numpys_own_writer_does(tmp_path: Path) -> None:
    """Byte for byte the same entries, in the order of their names, from arrays and from stored ones."""
    plain = {name: array for name, array in ARRAYS.items() if name != "fortran"}
    write_npz(tmp_path / "one.npz", plain)
    write_npz(tmp_path / "two.npz", dict(reversed(open_npz(tmp_path / "one.npz").items())))
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}

    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert list(entries) == sorted(entries)
    for name, array in plain.items():
        numpys = io.BytesIO()
        np.save(numpys, array)
        assert entries[f"{name}.npy"] == numpys.getvalue()


def test_rows_grow_and_widen_as_numpy_does() -> None:
    """Integers, then fractions: what was written before becomes fractions, too."""
    rows, parts = Rows(), [np.array([[1, 2]]), np.array([[0.5, 3]]), np.array([[True, False]])]
    for part in parts:
        rows.append(part)

    np.testing.assert_array_equal(rows.stored()[:], np.concatenate(parts))
    assert rows.stored().dtype == np.float64


def test_blocks_hold_whole_rows() -> None:
    """As many as fit, at least one, each once."""
    array = np.arange(30).reshape(10, 3)

    assert [(start, len(block)) for start, block in rows_of(array, 9)] == [(0, 3), (3, 3), (6, 3), (9, 1)]
    assert [len(block) for _, block in rows_of(array, 1)] == [1] * 10


@pytest.mark.parametrize("cut", [10, 200])
def test_a_file_that_was_cut_off_is_no_array(tmp_path: Path, cut: int) -> None:
    """In its header or in its numbers; never zeros in their place."""
    np.save(tmp_path / "a.npy", np.arange(100))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:cut])

    with pytest.raises((ValueError, EOFError)):
        open_npy(tmp_path / "a.npy")


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    """Is an error, not a block of what was in memory."""
    np.save(tmp_path / "a.npy", np.arange(100))
    found: StoredArray = open_npy(tmp_path / "a.npy")
    with (tmp_path / "a.npy").open("r+b") as file:
        file.truncate(300)

    with pytest.raises(ValueError, match="ends inside"):
        found[0:100]


def test_what_is_written_into_a_map_stays_out_of_the_file(tmp_path: Path) -> None:
    """A user's metric may normalise its arrays in place."""
    np.save(tmp_path / "a.npy", np.arange(3.0))
    open_npy(tmp_path / "a.npy").mapped()[:] = 0

    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]


def test_a_header_that_is_not_one_is_named(tmp_path: Path) -> None:
    """Cut off inside its text, with a shape that no array has, or with text that is not a dictionary."""
    for header in ("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 2, 2, null),",
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 2), }", "(" * 900, "'" * 3,
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2), }",
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"):  # fmt: skip
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"."):
            open_npy(tmp_path / "a.npy")


@given(st.data())
def test_a_damaged_file_is_read_or_named(data: st.DataObject) -> None:
    """Bytes changed, cut out or put in, anywhere: arrays, or a ValueError, and never another error."""
    buffer = io.BytesIO()
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(buffer, image=np.arange(12, dtype=np.float32).reshape(3, 4), label=np.arange(3))
    content = buffer.getvalue()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        put_in = data.draw(st.binary(max_size=4))
        content = content[:start] + put_in + content[start + data.draw(st.integers(0, 4)) :]
    with TemporaryDirectory() as folder:
        file = Path(folder, "data.npz")
        file.write_bytes(content)
        try:
            for array in open_npz(file).values():
                np.asarray(array)
        except ValueError:
            return
