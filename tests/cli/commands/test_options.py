"""Tests of ``options`` and ``config``: what can be chosen, and what was chosen by whom."""

from __future__ import annotations

import json

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace
from trtbuild.cli.main import run

ROOT = packaged_conf().parent


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert run(argv) == 0
    return capsys.readouterr().out


def test_all_groups_with_their_options(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = said(capsys, "options", "--json")
    listed = json.loads(out)["options"]
    assert {"fp32", "fp16", "int8"} <= set(listed["precision"].split(", "))
    assert "rtx-1.7" in listed["tensorrt"]


def test_an_option_has_its_comment_and_its_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    folder = workspace.root / "conf" / "precision"
    folder.mkdir()
    (folder / "mine.yaml").write_text("# Ours.\nlowering: none\n", "utf-8")
    monkeypatch.chdir(workspace.root)
    out = said(capsys, "options", "precision")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["mine"] == "Ours.  (conf/precision/mine.yaml)"
    assert lines["fp16"].endswith("(packaged conf/precision/fp16.yaml)")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["options", "precison"], "unknown group 'precison'; did you mean 'precision'?"),
        (["options", "precision", "model=x"], "takes no 'model=x'"),
        (["options", "scopes"], "expects a model"),
        (["options", "metrics", "--schema"], "expects a group"),
        (["config", "model=nothing"], "unknown model 'nothing'"),
        (["config", "word"], "unexpected word 'word'"),
    ],
)
def test_mistakes_are_one_line(monkeypatch: pytest.MonkeyPatch, argv: list[str], message: str) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError) as caught:
        run(argv)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_metrics_say_which_way_is_better(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "options", "metrics")
    assert "cosine               deviation, a lower bound" in out
    assert "top1                 task, higher is better" in out


def test_config_shows_each_value_with_its_origin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    out = said(capsys, "config", "model=lenet", "model.export.opset=18")
    lines = [line.split("  ") for line in out.splitlines()]
    assert [part.strip() for part in lines[0] if part] == ["model: lenet", "command line"]
    assert any("export.opset: 18" in line and line.endswith("command line") for line in out.splitlines())
    assert any("source.path" in line and line.endswith("conf/model/lenet.yaml") for line in out.splitlines())
