"""Tests of ``trtbuild toolchain``: what it lists, and one line for what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.cli import words as cli_words
from trtbuild.cli.commands import toolchain as command


def toolchain(*words: str) -> int:
    return command.run(cli_words.parse(["toolchain", *words]))


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside any workspace, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    assert toolchain("list", "--json") == 0
    return {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["toolchains"]}


def test_the_list_says_what_is_here_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option of conf/tensorrt, in a workspace or not."""
    found = listed(capsys)

    assert found["rtx-1.7"]["state"] == "here"
    assert found["rtx-1.4"] | {"why": ""} == {
        "name": "rtx-1.4", "flavour": "tensorrt-rtx", "version": "1.4.0.76", "state": "missing", "python": "", "why": ""
    }  # fmt: skip


def test_a_broken_config_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line says what is wrong with it."""
    for name in (".git", ".dvc", "conf/tensorrt"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "conf" / "config.yaml").write_text("defaults:\n  - _self_\n  - tensorrt: rtx-1.7\n", "utf-8")
    bad = "flavour: tensorrt-rtx\nversion: '1'\nrequirements: [numpy>=1]\ncompute_capabilities: []\n"
    (tmp_path / "conf" / "tensorrt" / "mine.yaml").write_text(bad, "utf-8")

    found = listed(capsys)

    assert found["mine"]["state"] == "broken"
    assert "'numpy>=1' is not pinned" in found["mine"]["why"]
    assert found["rtx-1.7"]["state"] == "here"


def test_path_is_this_interpreter_or_an_error_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It never installs; a recorded step's exact version is a name as well."""
    assert toolchain("path", "1.7.1.116") == 0
    assert Path(capsys.readouterr().out.strip()).exists()

    with pytest.raises(ToolchainError) as error:
        toolchain("path", "rtx-1.4")
    assert "run: trtbuild toolchain install rtx-1.4" in str(error.value)


def test_what_is_part_of_this_environment_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither installed a second time nor removed."""
    assert toolchain("install", "rtx-1.7") == 0
    assert toolchain("remove", "rtx-1.7", "rtx-1.4") == 0

    said = capsys.readouterr().err
    assert "already in this environment" in said
    assert "is left alone" in said
    assert "rtx-1.4: is not installed" in said


@pytest.mark.parametrize(
    ("words", "hint"),
    [([], "one of list, install"), (["instal"], "'install'"), (["install"], "rtx-1.4"), (["path", "rtx-1"], "rtx-1.")],
)
def test_mistakes_name_what_is_valid(words: list[str], hint: str) -> None:
    """Exit 2, with the nearest action or version."""
    with pytest.raises(ConfigError) as error:
        toolchain(*words)

    assert hint in str(error.value)


def test_no_install_is_a_word_without_a_value() -> None:
    """Of a build; it takes no other word with it."""
    args = cli_words.parse(["model=m", "--no-install", "precision=int8"])

    assert (args.words, args.install) == (["model=m", "precision=int8"], False)
    for wrong in (["model=m", "--no-install=yes"], ["plan", "--no-install"]):
        with pytest.raises(ConfigError, match="takes no"):
            cli_words.parse(wrong)
