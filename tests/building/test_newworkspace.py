"""Tests of what a failed ``init`` leaves behind: nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trtbuild.base.errors import SourceError
from trtbuild.building import newworkspace


def test_a_failed_init_leaves_the_index_of_the_repository_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dvc init adds its files there."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.setattr(newworkspace, "IGNORE", None)  # fails once DVC's files are there
    with pytest.raises(TypeError):
        newworkspace.init(tmp_path / "new", {})
    listed = subprocess.run(["git", "status", "--short"], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert listed.stdout == "" and not (tmp_path / "new").exists()


def test_a_failed_init_leaves_a_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No workspace is named; a new folder is gone, with its new parents; an old one keeps its own files alone."""

    def add(workspace: object, *_: object) -> None:
        raise SourceError("not a model")

    monkeypatch.setattr(newworkspace, "_add_model", add)
    (tmp_path / "m.onnx").touch()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / ".gitignore").write_text("mine\n", "utf-8")

    for name in ("new/deep", "old"):
        with pytest.raises(SourceError):
            newworkspace.init(tmp_path / name, {"--from": str(tmp_path / "m.onnx")})

    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "m.onnx", "old", "old/.gitignore",
    ]  # fmt: skip
    assert (tmp_path / "old" / ".gitignore").read_text("utf-8") == "mine\n"
    assert capsys.readouterr().err == ""
