"""TensorFlow in a process of its own: this one stays small, and a crash there is a result.

As a program, ``python -m trtbuild.reducing.tfprocess FROZEN FOLDER BYTES``, it computes values of TensorFlow's tensors:
FOLDER has ``wanted.json`` (name -> tensor) and ``feeds.npz`` (tensor -> array); values and an index are added.
"""

from __future__ import annotations

import json
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


def main(frozen: Path, folder: Path, most_bytes: int) -> None:
    import numpy as np

    from trtbuild.layers.tfvalues import write_values

    with np.load(folder / "feeds.npz") as arrays:
        feeds = {name: arrays[name] for name in arrays.files}
    write_values(frozen, json.loads((folder / "wanted.json").read_text("utf-8")), feeds, folder, most_bytes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's destructors take seconds
