"""Tests of the remembered answer of an unchanged build."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trtbuild.cli import noop

WORDS = ["model=m", "precision=fp16"]
ANSWER = noop.Answer(["", "PASS\n"], 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace whose answer hangs on a folder, and on a file that is not there."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "m.yaml").write_text("a: 1", "utf-8")
    before = noop.sign([str(tmp_path / "conf")])
    noop.remember(str(tmp_path), WORDS, before, [str(tmp_path / "models.dvc")], ANSWER)
    return tmp_path


def test_an_unchanged_build_has_its_answer(root: Path) -> None:
    """What was said, and the exit status."""
    assert noop.recall(str(root), WORDS) == ANSWER


@pytest.mark.parametrize("words", [["model=m"], [*WORDS, "--json"], list(reversed(WORDS)), ["model=mprecision=fp16"]])
def test_other_words_have_no_answer(root: Path, words: list[str]) -> None:
    """The whole command line is the question."""
    assert noop.recall(str(root), words) is None


def test_another_machine_has_no_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that share a workspace measure each its own latency."""
    allowed = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {*allowed, 4096})

    assert noop.recall(str(root), WORDS) is None


def test_a_copy_of_a_workspace_has_no_answer(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its answers are about the files of the original, which are unchanged."""
    copy = tmp_path_factory.mktemp("copy") / "ws"
    shutil.copytree(root, copy)

    assert noop.recall(str(copy), WORDS) is None


def test_an_answer_is_of_the_folder_where_it_was_given(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The places in it are relative; the same folder behind a link is the same."""
    (root / "link").symlink_to(Path.cwd())
    monkeypatch.chdir(root / "link")
    assert noop.recall(str(root), WORDS) == ANSWER
    monkeypatch.chdir(root / "conf")
    assert noop.recall(str(root), WORDS) is None


def edit(root: Path) -> None:
    (root / "conf" / "model" / "m.yaml").write_text("a: 2", "utf-8")


def touch(root: Path) -> None:
    os.utime(root / "conf" / "model" / "m.yaml", (1, 1))


def tamper(root: Path) -> None:
    path = root / "conf" / "model" / "m.yaml"
    before = path.stat()
    path.write_text("a: 2", "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def add(root: Path) -> None:
    (root / "conf" / "model" / "n.yaml").write_text("", "utf-8")


def remove(root: Path) -> None:
    (root / "conf" / "model" / "m.yaml").unlink()


def replace(root: Path) -> None:
    (root / "other").write_text("a: 1", "utf-8")
    os.replace(root / "other", root / "conf" / "model" / "m.yaml")


def appear(root: Path) -> None:
    (root / "models.dvc").write_text("", "utf-8")


@pytest.mark.parametrize("change", [edit, touch, tamper, add, remove, replace, appear])
def test_any_change_forgets_it(root: Path, change: Callable[[Path], None]) -> None:
    """Edited, touched, edited behind its time stamp, added, removed, replaced, or there for the first time."""
    change(root)

    assert noop.recall(str(root), WORDS) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"signatures": {}}', '{"signatures": 3, "output": [], "status": 0}'])
def test_a_broken_memory_is_no_answer(root: Path, text: str) -> None:
    """It costs a build that finds nothing to do."""
    (memory,) = (root / ".trtbuild" / "noop").iterdir()
    memory.write_text(text, "utf-8")

    assert noop.recall(str(root), WORDS) is None


def test_the_nearest_folder_with_dvc_is_the_root(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From anywhere below; elsewhere there is none."""
    assert noop.find_root(str(root / "conf" / "model")) == str(root)
    assert noop.find_root(str(tmp_path_factory.mktemp("elsewhere"))) is None


def test_old_answers_make_room(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are kept."""
    monkeypatch.setattr(noop, "_KEPT_ANSWERS", 2)
    for i in range(5):
        noop.remember(str(root), [f"i={i}"], {}, [], ANSWER)

    assert len(list((root / ".trtbuild" / "noop").iterdir())) <= 3
    assert noop.recall(str(root), ["i=4"]) == ANSWER
