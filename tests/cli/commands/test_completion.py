"""Tests of completion: a real bash completes verbs, options, groups and their options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trtbuild.cli.commands import completion

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory):
    """A function from a line to what bash offers at its end; ``trtbuild`` is the one under test."""
    folder = tmp_path_factory.mktemp("bash")
    (folder / "trtbuild").write_text(f'#!/bin/sh\nexec {sys.executable} -m trtbuild "$@"\n')
    (folder / "trtbuild").chmod(0o755)
    (folder / "script").write_text(completion.script("bash"))

    def complete(line: str) -> list[str]:
        split = line.replace("=", " = ").split() + ([""] if line.endswith(" ") else [])
        ask = f"""source {folder}/script; COMP_LINE='{line}'; COMP_POINT={len(line)}; COMP_WORDBREAKS=' ='
                  COMP_WORDS=({" ".join(f"'{word}'" for word in split)}); COMP_CWORD={len(split) - 1}
                  _shtab_trtbuild; printf '%s\\n' "${{COMPREPLY[@]}}" """
        environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["bash", "-c", ask], cwd=ROOT, env=environment, capture_output=True, text=True)
        return done.stdout.split()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("trtbuild upg", ["upgrade"]),
        ("trtbuild mod", ["model="]),
        ("trtbuild model=seg", ["segnet"]),
        ("trtbuild model=segnet precision=bf", ["bf16"]),
        ("trtbuild plan tensorrt=rtx-1.6,rtx-1.7", ["rtx-1.6,rtx-1.7"]),
        ("trtbuild plan -m precision=fp16,in", ["fp16,int8"]),
        ("trtbuild upgrade --rem", ["--remote"]),
        ("trtbuild suite --no", ["--no-install"]),
        ("trtbuild bisect --what fu", ["fusion"]),
    ],
)
def test_bash_completes(bash, line: str, offered: list[str]) -> None:
    """What the verbs declare, and what conf/ has."""
    assert [word for word in bash(line) if word in offered] == offered


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_completes(tmp_path: Path) -> None:
    """The first word too, which may be a verb or not."""
    (tmp_path / "script").write_text(completion.script("fish"))
    (tmp_path / "trtbuild").write_text(f'#!/bin/sh\nexec {sys.executable} -m trtbuild "$@"\n')
    (tmp_path / "trtbuild").chmod(0o755)
    ask = f"set -x PATH {tmp_path} $PATH; source {tmp_path}/script; complete -C 'trtbuild model=seg'"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["fish", "-c", ask], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.stdout.split() == ["model=segnet"]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_has_a_script(shell: str) -> None:
    """It knows every verb and asks for words."""
    text = completion.script(shell)
    assert "_trtbuild_words" in text and "bisect" in text and "no-install" in text
