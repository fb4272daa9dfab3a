"""Tests of what a failed ``init`` leaves behind: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import SourceError
from trtbuild.building import newworkspace


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
