"""A process that computes values of TensorFlow's tensors: ``python -m trtbuild.reducing.tfworker FROZEN FOLDER BYTES``.

The folder has ``wanted.json`` (name -> tensor) and ``feeds.npz`` (tensor -> array); values and an index are added.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


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
