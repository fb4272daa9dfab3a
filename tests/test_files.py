"""Tests of writing files whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.files import copy_atomic, replacing, write_atomic


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """In folders that are made for it, readable by others, nothing left beside it."""
    path = tmp_path / "a" / "b" / "file"
    for content in (b"old", b"new"):
        write_atomic(path, content)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """Half of the new one is removed."""
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise KeyboardInterrupt

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_is_its_own_file(tmp_path: Path) -> None:
    """Writable, and changing it does not change the original."""
    source, target = tmp_path / "source", tmp_path / "sub" / "target"
    source.write_bytes(b"content")
    source.chmod(0o444)
    copy_atomic(source, target)
    assert target.read_bytes() == b"content"
    target.write_bytes(b"changed")

    assert source.read_bytes() == b"content"
