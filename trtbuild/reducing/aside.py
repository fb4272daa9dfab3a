"""TensorFlow in a process of its own: this one stays small, and a crash there is a result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from trtbuild.base.errors import WorkerDied

LIMIT_S = 300.0
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}


def run_module(module: str, *words: str, where: str) -> None:
    """Run ``python -m module words``.

    Raises:
        WorkerDied: it failed, crashed, or took over five minutes.
    """
    package = Path(__file__).resolve().parents[2]
    known = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *words], capture_output=True, text=True, errors="replace",
            env={**os.environ, **_QUIET, "PYTHONPATH": known}, timeout=LIMIT_S, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise WorkerDied(f"its process took over {LIMIT_S:g} s", where=where) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise WorkerDied(f"its process ended with status {done.returncode}: {last}", where=where)
