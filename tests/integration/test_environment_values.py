"""A secret that a config takes from the environment reaches the callable, and no file of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Run

CANARY = "canary-4711-in-the-mine"
CODE = """import numpy as np
def samples(token, fail=False):
    print("called with", token)
    assert len(token) == len("Bearer ") + 23 and not fail, f"no access with {token}"
    for i in range(4):
        yield {"image": np.full((3, 16, 16), i / 4, np.float32)}
"""
DATA = "  validation: {kind: factory, callable: own:samples, arguments: {token: 'Bearer ${oc.env:CANARY}'}}"


@pytest.mark.slow
def test_a_secret_argument_stays_in_no_file(workspace: Path, trtbuild: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a build, and after one that failed with the secret in its message."""
    monkeypatch.setenv("CANARY", CANARY)
    model = workspace / "conf" / "model" / "tiny.yaml"
    content = model.read_text("utf-8").replace("  validation: models/tiny/validation.npz", DATA)
    model.write_text(content, "utf-8")
    (workspace / "own.py").write_text(CODE, "utf-8")
    words = ["model=tiny", "precision=fp32", "layers=off"]

    trtbuild(*words, check=0)
    failed = trtbuild(*words, "+model.data.validation.arguments.fail=true", check=2)

    assert "no access with ***" in failed.stderr
    kept = [path for path in workspace.rglob("*") if path.is_file()]
    assert len(kept) > 50 and not [path for path in kept if CANARY.encode() in path.read_bytes()]
