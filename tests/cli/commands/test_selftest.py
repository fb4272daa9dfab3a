"""Tests of ``selftest``: what is wrong or has no effect is refused before anything is built or executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError, PlaceError
from trtbuild.cli.main import run
from trtbuild.machine import gpu
from trtbuild.selftest import preparation


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--run", "a.zip", "--on=cpu", "precision=fp16"], "precision=fp16: has no effect with --run; python ARCHIVE"),
        (["--page", "a.json", "-o", "x"], "--output: has no effect with --page"),
        (["--prepare", "out", "--on=cpu"], "--on: has no effect with --prepare"),
        (["--on=gpu"], "--on: unknown value 'gpu'; did you mean 'cpu'?"),
        (["--run", "a.zip", "-o", "."], ".: is a folder; name the file to write"),
    ],
)
def test_words_without_effect_are_refused(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(["selftest", *words])
    assert says in str(caught.value)


def test_without_a_gpu_nothing_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu, "find_device", lambda: None)
    monkeypatch.setattr(preparation, "prepare", lambda *args: pytest.fail("it builds"))
    with pytest.raises(PlaceError, match="a self-test is for one"):
        run(["selftest"])


def test_every_model_is_known_before_the_first_is_built(
    monkeypatch: pytest.MonkeyPatch, workspace: object, tmp_path: Path
) -> None:
    def check(_: object, model: str, *more: object) -> None:
        if model == "b":
            raise ConfigError("unknown model 'b'")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preparation, "check", check)
    monkeypatch.setattr(preparation, "prepare", lambda *args: pytest.fail("it builds"))
    with pytest.raises(ConfigError, match="unknown model"):
        run(["selftest", "--prepare", "out", "model=a,b"])
