"""Tests that a training is the same to the last bit with and without a check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FORBIDDEN = ("tensorrt_rtx", "tensorrt", "polygraphy", "onnxruntime", "hydra", "omegaconf", "dvc")


def curve(*words: str) -> str:
    import os

    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(HERE.parents[1])}
    script = f"import runpy, sys; runpy.run_path({str(HERE / words[0])!r}, run_name='__main__')"
    script += f"; assert not set({FORBIDDEN!r}) & set(sys.modules), sys.modules"
    argv = [sys.executable, "-c", script, *words[1:]]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("training_tf1.py",), ("training_tf2.py",), ("training_tf2.py", "strategy"), ("training_tf2.py", "late")],
    ids=" ".join,
)  # fmt: skip
def test_the_loss_curve_is_the_same_to_the_last_bit(words: tuple[str, ...]) -> None:
    """The article's listing, a Keras model, one in a strategy's scope, one not built yet; generators and names too."""
    alone = curve(*words)

    assert alone and curve(*words, "check") == alone
