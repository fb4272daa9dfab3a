"""Tests of composed configs that are kept: when they are used, and when they are forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.config.composed import Composed, watched

WORDS = ["model=m", "precision=fp16"]
FOUND = ({"precision": {"name": "fp16"}}, {"precision": "fp16"})


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """A conf/ with one file, and the private folder that a build makes."""
    (tmp_path / ".trtbuild").mkdir()
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "m.yaml").write_text("a: ${b.c}\n", "utf-8")
    return [tmp_path / "conf"]


def composed(folders: list[Path]) -> Composed:
    return Composed(folders[0].parent / ".trtbuild", folders)


def keep(folders: list[Path], words: list[str] = WORDS) -> None:
    made = composed(folders)
    made.add(words, FOUND)
    made.keep()


def test_what_was_kept_is_recalled_by_its_words(folders: list[Path]) -> None:
    """In another process as well, and by these words only."""
    keep(folders)

    assert composed(folders).recall(WORDS) == FOUND
    assert composed(folders).recall(WORDS[:1]) is None


@pytest.mark.parametrize("change", ["a: 1\n", None])
def test_any_change_of_the_configs_forgets(folders: list[Path], change: str | None) -> None:
    """Other content, or a file that came."""
    keep(folders)
    (folders[0] / "model" / ("m.yaml" if change else "new.yaml")).write_text(change or "", "utf-8")

    assert composed(folders).recall(WORDS) is None


def test_a_config_that_reads_more_than_files_is_composed_every_time(folders: list[Path]) -> None:
    """An environment variable may be another one next time."""
    (folders[0] / "model" / "m.yaml").write_text("a: ${oc.env:HOME}\n", "utf-8")
    keep(folders)

    assert composed(folders).recall(WORDS) is None


def test_a_search_path_of_too_many_files_is_not_watched(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """``file:///`` kept every later build busy for minutes; neither words nor a kept file make it walk there."""
    monkeypatch.setattr("trtbuild.config.composed.MOST_FILES", 3)
    outside = folders[0].parent / "home"
    for name in "abcd":
        (outside / name).mkdir(parents=True)
    few, many = str(outside / "a"), str(outside)
    made = composed(folders)
    made.add(WORDS, FOUND, [few])
    assert made.other_configs == (few,)
    made.add(WORDS, FOUND, [many])
    made.keep()

    assert made.other_configs is None
    assert watched(folders[0].parent / ".trtbuild") == []


def test_words_that_read_more_than_files_are_composed_every_time(folders: list[Path]) -> None:
    """The same in an override."""
    words = ["model.name=${oc.env:HOME}"]
    keep(folders, words)

    assert composed(folders).recall(words) is None


def test_where_nothing_was_built_nothing_is_written(folders: list[Path]) -> None:
    """A plan leaves a clean clone clean."""
    (folders[0].parent / ".trtbuild").rmdir()
    keep(folders)

    assert not (folders[0].parent / ".trtbuild").exists()


def test_a_damaged_file_is_no_answer(folders: list[Path]) -> None:
    """It is written anew."""
    keep(folders)
    (folders[0].parent / ".trtbuild" / "composed.json").write_text('{"digest": ', "utf-8")
    assert composed(folders).recall(WORDS) is None
    keep(folders)

    assert composed(folders).recall(WORDS) == FOUND
