"""Tests of replacing a model: what fits takes its place, what does not changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trtbuild.base.errors import ConfigError, WorkspaceError
from trtbuild.base.workspace import Workspace
from trtbuild.building import replacement
from trtbuild.building.replacement import replace
from trtbuild.cli.main import run
from trtbuild.store import tracking

CONFIG = """\
source: {kind: onnx, path: models/m/net.onnx}
inputs: {x: {dtype: float32, shape: [null, 3], profile: {min: 1, opt: 2, max: 4}}}
"""
FITS = {"x": {"dtype": "float32", "shape": [None, 3]}}


@pytest.fixture
def root(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracked model, and a new one outside; reading models and DVC are other tests' matter."""
    (workspace.conf / "model").mkdir()
    (workspace.conf / "model" / "m.yaml").write_text(CONFIG, "utf-8")
    (workspace.conf / "model" / "made.yaml").write_text(
        CONFIG.replace("{kind: onnx, path: models/m/net.onnx}", "{kind: factory, callable: a.b:c}"), "utf-8"
    )
    (workspace.root / "models" / "m").mkdir()
    (workspace.root / "models" / "m" / "net.onnx").write_text("old", "utf-8")
    (workspace.root / tracking.MODELS_FILE).write_text(
        "outs:\n- path: models/m\n  md5: " + "0" * 32 + ".dir\n", "utf-8"
    )
    (workspace.root / "new.onnx").write_text("new", "utf-8")
    tracked: list[str] = []
    monkeypatch.setattr(replacement, "track", lambda root, entry: tracked.append(entry.as_posix()))
    says(monkeypatch, FITS)
    monkeypatch.chdir(workspace.root)
    return workspace.root


def says(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Any]) -> None:
    """The new model has these inputs."""

    @contextlib.contextmanager
    def inspected(workspace: Workspace, source: Any, shapes: Any, model: Path) -> Iterator[Any]:
        yield {"source": source, "inputs": inputs, "quantised": False}, model

    monkeypatch.setattr(replacement, "inspected", inspected)


def held(root: Path) -> str:
    return (root / "models" / "m" / "net.onnx").read_text("utf-8")


def test_the_new_model_is_where_the_config_looks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked: list[str] = []
    monkeypatch.setattr(replacement, "track", lambda root, entry: tracked.append(entry.as_posix()))
    assert run(["replace", "model=m", "--from", "new.onnx"]) == 0
    assert (held(root), tracked) == ("new", ["models/m"])
    assert (root / "conf" / "model" / "m.yaml").read_text("utf-8") == CONFIG


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "the model has no input 'x'"),
        ({**FITS, "y": FITS["x"]}, "the config has no input 'y'"),
        ({"x": {"dtype": "float16", "shape": [None, 3]}}, "input 'x' is float16, not float32"),
        ({"x": {"dtype": "float32", "shape": [None, 4]}}, r"input 'x' has shape \[None, 4\], not \[None, 3\]"),
        ({"x": {"dtype": "float32", "shape": [3]}}, "has shape"),
    ],
)
def test_another_network_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Any], message: str
) -> None:
    says(monkeypatch, inputs)
    with pytest.raises(ConfigError, match=message):
        run(["replace", "model=m", "--from", "new.onnx"])
    assert held(root) == "old"


def test_a_fixed_batch_may_become_dynamic_and_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config decides what the engine takes."""
    says(monkeypatch, {"x": {"dtype": "float32", "shape": [1, 3]}})
    assert run(["replace", "model=m", "--from", "new.onnx"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=m", "--from", "none.onnx"], "no such file"),
        (["model=n", "--from", "new.onnx"], "unknown model 'n'"),
        (["model=made", "--from", "new.onnx"], "its source is made by code"),
        (["--from", "new.onnx"], "expects one model"),
        (["model=m", "--from", "conf"], "its kind is saved_model, and the config's is onnx"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(root: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(["replace", *words])
    assert held(root) == "old"


def test_what_fails_half_way_is_undone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC cannot track it: the old model and its record are there as before."""

    def broken(root: Path, entry: Path) -> None:
        (root / tracking.MODELS_FILE).write_text("outs: []\n", "utf-8")
        raise WorkspaceError("the disk is full")

    record = (root / tracking.MODELS_FILE).read_text("utf-8")
    monkeypatch.setattr(replacement, "track", broken)
    with pytest.raises(WorkspaceError, match="disk is full"):
        replace(Workspace(root), "m", root / "new.onnx")
    assert (held(root), (root / tracking.MODELS_FILE).read_text("utf-8")) == ("old", record)
