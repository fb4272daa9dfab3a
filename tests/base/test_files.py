"""Tests of writing files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError, PlaceError
from trtbuild.base.files import check_output, copy_atomic, inside, replacing, stray_link, write_atomic


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """In folders that are made for it, readable by others, nothing left beside it."""
    path = tmp_path / "a" / "b" / "file"
    for content in (b"old", b"new"):
        write_atomic(path, content)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_an_output_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    """A folder where a file is to be, the reverse, and a file on the way; nothing is made."""
    (tmp_path / "file").write_text("x", "utf-8")
    for path, folder, says in (
        (tmp_path, False, "is a folder"), (tmp_path / "file", True, "there is a file"),
        (tmp_path / "file" / "a" / "b", False, "it is not a folder"),
        (tmp_path / "file" / "a" / "b", True, "it is not a folder"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=says):
            check_output(path, folder=folder)
    for folder in (False, True):
        check_output(tmp_path / "new" / "a", folder=folder)
    assert not (tmp_path / "new").exists()


def test_an_output_in_a_folder_of_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PlaceError, match="the folder cannot be written; choose another place"):
        check_output(tmp_path / "a")


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


@pytest.mark.parametrize("name", ["", ".", "/etc/passwd", "../x", "a/../../x", "out/x", "out", "a\0b"])
def test_a_foreign_path_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    """Up, absolute, or through a link that leads out: refused before anything is read or written."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out").symlink_to(tmp_path)

    with pytest.raises(ConfigError) as caught:
        inside(tmp_path / "folder", name, where="model.onnx")

    assert caught.value.exit_status == 2 and caught.value.where == "model.onnx"


def test_a_foreign_path_below_its_folder_is_taken(tmp_path: Path) -> None:
    """Also when it is not there yet, and when the folder itself is a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "real")

    assert inside(tmp_path / "folder", "a/b.bin", where="m") == tmp_path / "folder" / "a" / "b.bin"


def test_what_a_rename_puts_there_replaces_a_link(tmp_path: Path) -> None:
    """A link in its own place is not followed; one on the way there is."""
    (tmp_path / "folder").mkdir()
    for name in ("out", "loop"):
        (tmp_path / "folder" / name).symlink_to(tmp_path if name == "out" else "loop")

    assert inside(tmp_path / "folder", "out", where="m", replaced=True) == tmp_path / "folder" / "out"
    with pytest.raises(ConfigError):
        inside(tmp_path / "folder", "out/x", where="m", replaced=True)


def test_links_may_lead_into_a_named_folder(tmp_path: Path) -> None:
    """As DVC's do into its cache."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").symlink_to(tmp_path / "cache" / "x")

    assert inside(tmp_path / "folder", "a", where="m", beside=[tmp_path / "cache"]).name == "a"


def test_a_stray_link_is_found_at_any_depth(tmp_path: Path) -> None:
    """A file or a folder; a link that stays, or leads round, is none."""
    deep = tmp_path / "folder" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "round").symlink_to("../..")
    (deep / "self").symlink_to("self")
    assert stray_link(tmp_path / "folder", tmp_path / "folder") is None

    (deep / "out").symlink_to(tmp_path)
    assert stray_link(tmp_path / "folder", tmp_path / "folder") == deep / "out"
    assert stray_link(tmp_path / "folder", tmp_path) is None
