"""Tests of where things lie in a workspace."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbuild.base.errors import SourceError, WorkspaceError
from trtbuild.base.workspace import Workspace, find_workspace
from trtbuild.building.newworkspace import model_yaml


def test_the_nearest_dvc_folder_is_the_workspace(workspace: Workspace) -> None:
    """From anywhere below it."""
    assert find_workspace(workspace.conf).root == workspace.root.resolve()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), "no git or DVC repository here or above; make one with: trtbuild init DIRECTORY"),
        ((".git",), "no DVC repository here or above; make one with: trtbuild init DIRECTORY"),
        ((".dvc",), "not in a git repository; run: git init"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, there: tuple[str, ...], said: str) -> None:
    """Each lack has its own way out, and exit status 3."""
    for name in there:
        (tmp_path / name).mkdir()
    with pytest.raises(WorkspaceError) as caught:
        find_workspace(tmp_path)

    assert (str(caught.value), caught.value.exit_status) == (f"{tmp_path.resolve()}: {said}", 3)


def test_a_repository_without_git_may_say_so(tmp_path: Path) -> None:
    """DVC's own setting for that is respected."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", "utf-8")

    assert find_workspace(tmp_path).root == tmp_path.resolve()


@pytest.mark.parametrize(
    ("files", "cache"),
    [
        ({}, ".dvc/cache"),
        ({"config": "../shared"}, "shared"),
        ({"config": "../shared", "config.local": "/elsewhere"}, "/elsewhere"),
    ],
)
def test_the_cache_lies_where_dvc_has_it(workspace: Workspace, files: dict[str, str], cache: str) -> None:
    """`cache.dir`, relative to .dvc/, the local file first."""
    for name, value in files.items():
        (workspace.dvc / name).write_text(f"[cache]\n    dir = {value}\n", "utf-8")

    assert Workspace(workspace.root).cache == workspace.root / cache


def test_the_private_folder_is_ignored_by_git(workspace: Workspace) -> None:
    """Whatever the workspace's own .gitignore says."""
    assert (workspace.private / ".gitignore").read_text("utf-8") == "*\n"
    assert workspace.work.is_dir()


def test_an_input_of_strings_is_refused_before_a_config_is_written() -> None:
    """Which a build would refuse; by name, and with what to do."""
    text = {"city": {"dtype": "string", "shape": [None, 1]}}

    with pytest.raises(SourceError, match=r"^m.keras: input 'city' is of type string.*before the network"):
        model_yaml({"kind": "keras", "path": "models/m.keras"}, text, {}, {})


@given(content=st.binary(max_size=40) | st.text("[]'\" =\n;#%corecache.dirremote", max_size=40).map(str.encode))
def test_any_bytes_are_a_config_of_dvc_or_named(content: bytes) -> None:
    """One line with the file, and no other error."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".dvc").mkdir()
        (Path(folder) / ".dvc" / "config").write_bytes(content)
        found = Workspace(Path(folder))
        try:
            assert isinstance(found.cache, Path) and isinstance(found.default_remote, str)
        except WorkspaceError as error:
            assert error.where.endswith(".dvc/config") and "PosixPath" not in str(error)


@pytest.mark.parametrize("said", ["a\0b", "~nobody-of-this-name/c", "~\0"])
def test_a_cache_dir_that_is_no_path_is_one_line(tmp_path: Path, said: str) -> None:
    """From .dvc/config, which a merge may have damaged."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(f"[cache]\n    dir = {said}\n", "utf-8")
    with pytest.raises(WorkspaceError, match=r"cache\.dir is not the path of a folder"):
        assert Workspace(tmp_path).cache


def test_an_empty_cache_dir_moves_nothing(tmp_path: Path) -> None:
    """It is not the folder of DVC's own files."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[cache]\n    dir =\n", "utf-8")
    assert Workspace(tmp_path).cache == tmp_path / ".dvc" / "cache"
