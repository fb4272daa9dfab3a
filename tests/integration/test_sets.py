"""Tests of further sets of inputs in real builds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
NOISE = "+model.data.inspection.noise={kind: random, count: 5, seed: 1}"


def shown(trtbuild, *words: str) -> dict[str, dict[str, str]]:
    steps = json.loads(trtbuild("show", *words, "--json", check=0).stdout)["variants"][0]["steps"]
    return {role: step["outs"] for role, step in steps.items()}


def test_a_random_set_is_measured_and_shown_beside_the_validation_set(workspace: Path, trtbuild) -> None:
    """Its numbers can be recomputed; the page labels it; the validation set is not run again; DVC agrees."""
    trtbuild("model=tiny", "precision=int8", check=0)
    done = trtbuild("model=tiny", "precision=int8", NOISE, check=0)
    ran = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("ran ")]
    outs = shown(trtbuild, "model=tiny", "precision=int8", NOISE)
    sides = (
        np.load(workspace / outs[role]["outputs.npz"])["scores"] for role in ("reference-noise", "infer-lower-noise")
    )
    error = np.abs(np.subtract(*(side.astype(float) for side in sides)))
    numbers = json.loads((workspace / outs["deviation"]["deviation.json"]).read_text())

    assert "tiny/reference-onnxruntime-noise" in ran
    assert "tiny/reference-onnxruntime" not in ran
    assert numbers["sets"]["noise"]["hops"]["total"]["scores"]["p99_abs"] == np.percentile(error, 99)
    assert (numbers["samples"], numbers["sets"]["noise"]["samples"]) == (8, 5)
    assert "Set “noise” (random numbers)" in (workspace / outs["report"]["deviation.html"]).read_text()


def test_infinity_in_any_set_fails(workspace: Path, trtbuild) -> None:
    """float16 overflows on inputs that the validation set does not hold: exit status 1, and the set is named."""
    (workspace / "models" / "large").mkdir()
    np.savez(workspace / "models" / "large" / "data.npz", image=np.full((2, 3, 16, 16), 1e5, np.float32))
    done = trtbuild("model=tiny", "precision=fp16", "+model.data.inspection.large=models/large/data.npz", check=1)

    assert "large: scores: no NaN or infinity" in done.stderr


def test_a_set_outside_the_workspace_is_refused(workspace: Path, trtbuild) -> None:
    """One line with the key."""
    done = trtbuild("model=tiny", "+model.data.inspection.other=/tmp/x.npz", check=2)

    assert "model.data.inspection.other=/tmp/x.npz: '/tmp/x.npz' is outside the workspace" in done.stderr
