"""Tests of what a checkout lacks: it is called incomplete, with the command that completes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trtbuild.base.checkout import whole
from trtbuild.base.errors import WorkspaceError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "protocol.file.allow=always", *words],
                   cwd=root, check=True, capture_output=True)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a tracked model, and another one as its submodule."""
    for name in ("inner", "outer"):
        (tmp_path / name / "models").mkdir(parents=True)
        (tmp_path / name / "models" / "m.onnx").write_text("model", "utf-8")
        git(tmp_path / name, "init", "-q")
        git(tmp_path / name, "add", ".")
        git(tmp_path / name, "commit", "-qm", "x")
    git(tmp_path / "outer", "submodule", "add", "-q", str(tmp_path / "inner"), "sub")
    git(tmp_path / "outer", "commit", "-qm", "x")
    git(tmp_path, "clone", "-q", str(tmp_path / "outer"), "clone")
    return tmp_path / "clone"


def test_what_is_here_is_whole(root: Path) -> None:
    """And what no repository has is not its fault."""
    whole(root / "models" / "m.onnx")
    whole(root / "models")
    whole(root / "models" / "other.onnx")
    whole(Path("/no/such/file"))


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("sub/models/m.onnx", "submodule sub, which is not checked out; run: git submodule update --init sub"),
        ("models/m.onnx", "git has it, but not the working tree; run: git restore models/m.onnx"),
        ("models", "git has it, but not the working tree"),
    ],
)
def test_what_the_repository_has_is_missing_from_the_checkout(root: Path, missing: str, says: str) -> None:
    """A submodule, and a file that was deleted, or that a sparse checkout leaves out."""
    (root / "models" / "m.onnx").unlink()
    (root / "models").rmdir()
    with pytest.raises(WorkspaceError, match=f"^{missing}: an incomplete checkout: .*{says}"):
        whole(root / missing, missing)


@pytest.mark.parametrize("place", ["m.onnx", "variables/variables.data-00000-of-00001"])
def test_a_pointer_is_not_a_file(tmp_path: Path, place: str) -> None:
    """Of Git LFS, also somewhere in a folder."""
    path = tmp_path / "model" / place
    path.parent.mkdir(parents=True)
    path.write_text(POINTER, "utf-8")
    for asked, shown in ((path, "x"), (tmp_path / "model", f"x/{place}")):
        with pytest.raises(WorkspaceError, match=f"^{shown}: an incomplete checkout: .*git lfs pull"):
            whole(asked, "x")
    path.write_text(POINTER + "x" * 2000, "utf-8")
    whole(path)
