"""Tests of ``selftest``: what is wrong or has no effect is refused before anything is built or executed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from trtbuild.base.errors import ConfigError, PlaceError
from trtbuild.cli.main import run
from trtbuild.core.spec import Executor
from trtbuild.machine import gpu
from trtbuild.selftest import preparation
from trtbuild.workers import cluster


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


def test_the_builds_of_all_models_share_a_cluster(
    monkeypatch: pytest.MonkeyPatch, workspace: object, tmp_path: Path
) -> None:
    joined: list[cluster.Membership] = []

    def build(*_: object) -> Path:
        joined.append(cluster.join(Executor("dask"), print))
        return tmp_path

    client = SimpleNamespace(status="running", close=lambda: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "_join", lambda spec, note: cluster.Membership(client, "tcp://here", local=True))
    monkeypatch.setattr(preparation, "check", lambda *_: None)
    monkeypatch.setattr(preparation, "prepare", build)

    assert run(["selftest", "--prepare", "out", "model=a,b"]) == 0
    assert len(joined) == 2 and joined[0] is joined[1]
