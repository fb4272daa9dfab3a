"""Tests of ``--json`` where a command fails: one document on stdout, whatever the verb and the mistake."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from trtbuild.cli import main, words

ROOT = Path(__file__).resolve().parents[2]
MODEL = """\
source: {kind: onnx, path: m.onnx}
inputs: {x: {dtype: float32, shape: [1, 4]}}
data: {validation: {kind: random}}
"""
VARIANT, UNKNOWN = "model=a precision=fp16", "model=b precision=fp16"
# Each verb: command lines that fail, with the exit status of each.
CASES: dict[str, dict[str, int]] = {
    "accept": {UNKNOWN: 2, VARIANT: 2},
    "bisect": {"model=a tensorrt=rtx-1.6,rtx-9": 2, "--what=speed": 2},
    "bugreport": {UNKNOWN: 2, "no.onnx": 2},
    "build": {UNKNOWN: 2, "model=a precision=int7": 2, "--dry-run": 2, "-m": 2},
    "bundle": {f"{VARIANT} -o out": 2, VARIANT: 2},
    "check": {UNKNOWN: 2, "no.onnx tensorrt=x": 2},
    "config": {UNKNOWN: 2, "precision": 2},
    "diff": {"no.json no.json": 2, VARIANT: 2},
    "doctor": {"--deeep": 2},
    "explain": {UNKNOWN: 2},
    "flamegraph": {"no.json -o out": 2, "m.onnx -o out": 2},
    "gc": {"--workspaces no": 2},
    "inspect": {VARIANT: 2, "no.json": 2, f"{VARIANT} --batch=0": 2},
    "open": {VARIANT: 2},
    "options": {"precisions": 2, "scopes": 2, f"scopes {VARIANT}": 2},
    "plan": {UNKNOWN: 2, "-m model=a,b": 2},
    "pull": {VARIANT: 3, f"{VARIANT} --remote no": 3},
    "push": {VARIANT: 3, f"{VARIANT} --key no.pem": 2},
    "reduce": {UNKNOWN: 2, "no.onnx": 2},
    "show": {UNKNOWN: 2, f"{VARIANT} --markdown": 2},
    "suite": {"tensorrt=none": 2, "-k (": 2},
    "toolchain": {"lst": 2, "path none": 2, "install rtx-1.7": 2},
    "trend": {VARIANT: 3, "--metric x": 2},
    "upgrade": {"tensorrt=none from=rtx-1.6": 2},
    "verify": {"no": 3, "m.onnx": 3},
}


@pytest.fixture(autouse=True)
def _outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the command's handler is for its own process
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace for all verbs, since composing a variant takes longer than all else here; none of them changes it."""
    root = tmp_path_factory.mktemp("workspace")
    for folder in (".git", ".dvc", ".trtbuild", "conf/model"):
        (root / folder).mkdir(parents=True)
    (root / "conf" / "config.yaml").write_bytes((ROOT / "conf" / "config.yaml").read_bytes())
    (root / "conf" / "model" / "a.yaml").write_text(MODEL)
    (root / "m.onnx").write_bytes(b"graph")
    return root


@pytest.fixture
def workspace(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def check(line: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its stdout is one error document with the exit status; a line on stderr says the same."""
    monkeypatch.setattr(sys, "argv", ["trtbuild", *line.split(), "--json"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert (ended.value.code, error["status"]) == (status, status), line
    assert error["what"] and error["where"], line
    assert f"trtbuild: {error['where']}: {error['what']}" in err and "Traceback" not in err, line


def test_every_verb_with_documents_is_tried() -> None:
    assert CASES.keys() == {verb for verb in words.verbs() if "--json" in words.options_of(verb)}


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("verb", CASES)
def test_an_error_is_one_document(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for line, status in {**CASES[verb], "--nosuch x": 2}.items():
        check(f"{verb} {line}", status, monkeypatch, capsys)


def test_outside_a_workspace_it_is_one_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("build", "config", "diff", "explain", "open", "plan", "pull", "push", "show", "trend", "upgrade"):
        check(f"{verb} {VARIANT}", 3, monkeypatch, capsys)


def test_a_name_that_there_is_not_is_placed_in_no_file(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["trtbuild", "suite", "tensorrt=none", "--json"])
    with pytest.raises(SystemExit):
        main.main()
    assert json.loads(capsys.readouterr().out)["error"]["where"] == "tensorrt=none"
