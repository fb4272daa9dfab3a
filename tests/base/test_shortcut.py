"""Tests of private files that save time: what was saved, or nothing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from trtbuild.base import shortcut

SAVED = {"a": ["ü", 1, None, {"b": 1.5}], "digest": "0" * 32}


@given(st.integers(0, len(shortcut.dumps(SAVED)) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_file_is_none(start: int, put_in: bytes, left_out: int) -> None:
    """Bytes changed, cut out or put in, anywhere."""
    good = shortcut.dumps(SAVED)
    with TemporaryDirectory() as folder:
        file = Path(folder, "file")
        file.write_bytes(good[:start] + put_in + good[start + left_out :])

        assert shortcut.load(str(file)) == (SAVED if file.read_bytes() == good else None)


def test_what_is_not_a_file_is_none(tmp_path: Path) -> None:
    """A folder, or nothing."""
    assert [shortcut.load(str(tmp_path)), shortcut.load(str(tmp_path / "nothing"))] == [None, None]


def test_half_a_surrogate_pair_is_damage(tmp_path: Path) -> None:
    """Of a later version's file, say, whose checksum is right; a name that is not UTF-8 has such halves, too."""
    for text, kept in (("\ud800", False), ("\udcff", True), ("\U0001f600", True)):
        (tmp_path / "file").write_bytes(shortcut.dumps([text]))
        assert shortcut.load(str(tmp_path / "file")) == ([text] if kept else None)
