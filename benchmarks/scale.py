"""Planning sweeps of up to 10,000 variants of generated models: CPU time beside wall time, and peak memory.

The sources are placeholders, since nothing is built here: planning looks at their names and arrays only.
"""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

from benchmarks.measure import run, say

MODELS = 100
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
VERSIONS = ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7")
TARGETS = ("portable", "sm80", "sm86", "sm89", "sm120")

_CONFIG = """\
source: {{kind: keras, path: models/{name}/model.keras}}
inputs:
  image: {{dtype: float32, shape: [null, {size}, {size}, 3], profile: {{min: 1, opt: 4, max: 8}}, range: [0, 255]}}
export: {{opset: 17}}
data:
  calibration: models/{name}/calibration.npz
  validation: models/{name}/validation.npz
validation:
  deviation:
    max_abs: {{fp32: 1.0e-4, fp16: 0.02, bf16: 0.15, int8: 0.5}}
    cosine: {{fp32: 0.999999, fp16: 0.99999, bf16: 0.999, int8: 0.99}}
  task: {{metric: top1, labels: label, max_drop: 0.01}}
"""


def workspace(folder: Path, trtbuild: str, models: int = MODELS) -> Path:
    """A new workspace with this many models, each with its own source and data."""
    import numpy as np

    subprocess.run([trtbuild, "init", str(folder)], check=True, capture_output=True)
    (folder / "conf" / "model").mkdir(parents=True, exist_ok=True)
    for i in range(models):
        name, place = f"m{i:03d}", folder / "models" / f"m{i:03d}"
        place.mkdir(parents=True)
        (place / "model.keras").write_bytes(f"placeholder {i}".encode())
        image = np.full((2, 8, 8, 3), i, np.float32)
        np.savez(place / "calibration.npz", image=image)
        np.savez(place / "validation.npz", image=image, label=np.zeros(2, np.int64))
        (folder / "conf" / "model" / f"{name}.yaml").write_text(_CONFIG.format(name=name, size=16 + i), "utf-8")
    return folder


def words(models: int = MODELS) -> list[str]:
    """The words of a sweep over all of them: 100 variants of each model."""
    names = ",".join(f"m{i:03d}" for i in range(models))
    return [f"model={names}", f"precision={','.join(PRECISIONS)}", f"tensorrt={','.join(VERSIONS)}",
            f"target={','.join(TARGETS)}"]  # fmt: skip


def measure(scratch: Path, trtbuild: str) -> None:
    """Plan all of them in a new workspace, then three times unchanged."""
    root = workspace(scratch / "scale", trtbuild)
    for name, bar in (("at first", "bar 5 s and 1 GB"), *[("unchanged", "bar 1 s")] * 3):
        before = _cpu()
        planned = run([trtbuild, "plan", "-m", *words()], root)
        took = f"{planned.seconds:.2f} s, {_cpu() - before:.2f} s of CPU, peak {planned.peak_bytes / 1e6:.0f} MB"
        say(f"plan of 10,000 variants, {name}", took, bar)


def _cpu() -> float:
    """Seconds of CPU of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
