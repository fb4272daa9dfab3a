"""Tests of ``trtbuild plan`` for many variants: a summary, and an answer that is remembered while no file changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbuild.building import planned
from trtbuild.cli import main
from trtbuild.cli.commands import plan

ROOT = Path(__file__).resolve().parents[3]
MODEL = "source: {kind: onnx, path: m.onnx}\ninputs: {x: {dtype: float32, shape: [1, 4]}}\n"
WORDS = ["plan", "-m", "model=a,b", "precision=fp16,fp32"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in (".git", ".dvc", ".trtbuild", "conf/model"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "conf" / "config.yaml").write_bytes((ROOT / "conf" / "config.yaml").read_bytes())
    for name in ("a", "b"):
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(f"{MODEL}data: {{validation: {{kind: random}}}}\n")
    (tmp_path / "m.onnx").write_bytes(b"graph")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_many_steps_are_counted(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By kind and state, each recipe once; a few are listed."""
    main.run(WORDS)
    listed = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(plan, "MOST_LINES", len(listed) - 1)
    main.run([*WORDS, "target=portable"])
    counted = capsys.readouterr().out.splitlines()
    assert sum(int(line.split()[1]) for line in counted[:-1]) == len(listed)
    assert ["missing", "2", "engine", "never", "built", "here"] in [line.split() for line in counted]
    assert counted[-1] == f"{len(listed)} steps of 4 variants; --json lists them"


def test_unchanged_plan_is_remembered(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same text without planning; a step that was built, or an edited config, is planned anew."""
    main.run(WORDS)
    first = capsys.readouterr().out
    with monkeypatch.context() as patched:
        patched.setattr(planned, "plan_combinations", None)
        assert main.run(WORDS) == 0
        assert capsys.readouterr().out == first
    main.run([*WORDS, "--json"])
    folder = root / json.loads(capsys.readouterr().out)["steps"][0]["folder"]
    folder.mkdir(parents=True)
    (folder / "dvc.lock").write_text("text")
    main.run(WORDS)
    assert "it has no stages" in capsys.readouterr().err
    (root / "conf" / "model" / "b.yaml").write_text(f"{MODEL}data: {{validation: {{kind: random, seed: 3}}}}\n")
    main.run(WORDS)
    assert capsys.readouterr().out != first
