"""Tests of ``open``: it finds the page, or says which there are."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.cli.main import run

WORDS = ("model=m", "precision=fp16")


@pytest.fixture
def report(workspace: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The report's folder, without pages."""
    conf = tmp_path / "conf"
    (conf / "config.yaml").write_text((packaged_conf() / "config.yaml").read_text("utf-8"), "utf-8")
    (conf / "model").mkdir()
    model = "source: {kind: onnx, path: m.onnx}\ninputs: {x: {dtype: float32, shape: [1, 3]}}\n"
    (conf / "model" / "m.yaml").write_text(model, "utf-8")
    monkeypatch.chdir(tmp_path)
    from trtbuild.base.workspace import find_workspace
    from trtbuild.building.planned import plan_overrides

    (roles,) = plan_overrides(find_workspace(tmp_path), WORDS, sweep=False, files=False).plan.variants.values()
    folder = tmp_path / roles["report"].folder
    folder.mkdir(parents=True)
    return folder


def test_a_page_is_opened(report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (report / "engine.html").write_text("<html>", "utf-8")
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))
    assert run(["open", *WORDS, "--page", "engine"]) == 0
    assert opened == [(report / "engine.html").resolve().as_uri()]
    assert "not up to date" in capsys.readouterr().err


def test_without_a_browser_the_path_is_printed(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (report / "overview.html").write_text("<html>", "utf-8")
    for display, opens in ((":0", False), ("", True)):  # without a screen, one for text would open
        monkeypatch.setattr(webbrowser, "open", lambda address, opens=opens: opens)
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.setenv(name, display)
        assert run(["open", *WORDS]) == 0
        assert capsys.readouterr().out == f"{(report / 'overview.html').resolve()}\n"
    assert run(["open", *WORDS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith("overview.html")


@pytest.mark.parametrize(
    ("pages", "page", "message"),
    [([], "overview", "has no report yet; run: trtbuild model=m precision=fp16"),
     (["overview", "layers"], "layer", "no page 'layer'; available: layers, overview")],
)  # fmt: skip
def test_what_is_not_there_is_said(report: Path, pages: list[str], page: str, message: str) -> None:
    for name in pages:
        (report / f"{name}.html").write_text("<html>", "utf-8")
    with pytest.raises(ConfigError, match=message):
        run(["open", *WORDS, "--page", page])
