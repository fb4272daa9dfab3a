"""Tests of writing a report: whole or not at all, and the same bytes for the same files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.bugreport import folder

FILES = {"report.md": b"text\n", "repro.py": b"print(1)\n"}


def test_folder_and_zip_have_the_same_files(tmp_path: Path) -> None:
    """Scripts can be run."""
    folder.write(tmp_path / "bug", FILES)

    assert {p.name: p.read_bytes() for p in (tmp_path / "bug").iterdir()} == FILES
    assert (tmp_path / "bug" / "repro.py").stat().st_mode & 0o111
    with zipfile.ZipFile(tmp_path / "bug.zip") as archive:
        assert archive.namelist() == ["bug/report.md", "bug/repro.py"]


def test_equal_files_make_equal_zips() -> None:
    """In whatever order they were made, at whatever time."""
    assert folder.zipped(FILES, "bug") == folder.zipped(dict(reversed(FILES.items())), "bug")


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half a folder, no temporary one."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.os, "rename", full)
    with pytest.raises(OSError, match="No space"):
        folder.write(tmp_path / "bug", FILES)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["bug", "bug.zip"])
def test_nothing_is_replaced(tmp_path: Path, name: str) -> None:
    """Neither a folder nor a zip."""
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="it already exists"):
        folder.write(tmp_path / "bug", FILES)
