"""Sweeps of 10,000 variants of generated models, planned, read and drawn: CPU time, wall time, and peak memory.

The sources are placeholders, since nothing is built here: planning looks at their names and arrays only.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import run, say

ROOT = Path(__file__).resolve().parents[1]
MODELS, SOME = 100, 10
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
    """Plan 10,000 variants at first and unchanged; read and push the records of 1,000; draw the page of 10,000."""
    say("a loop over 10 million numbers", f"{calibration():.2f} s of CPU", "docs/scale.md has its time there")
    root = workspace(scratch / "scale", trtbuild)
    _say("plan of 10,000 variants, at first", [trtbuild, "plan", "-m", *words()], root, 5.0, 1.0)
    for _ in range(3):
        _say("  unchanged", [trtbuild, "plan", "-m", *words()], root, 1.0, 1.0)
    some = workspace(scratch / "records", trtbuild, SOME)
    synthetic = [sys.executable, "-m", "benchmarks.scalerecords"]
    subprocess.run([*synthetic, "records", str(some), *words(SOME)], check=True, cwd=ROOT)
    dvc = [sys.executable, "-m", "dvc", "remote", "add", "-q", "-d", "store", str(scratch / "store")]
    subprocess.run(dvc, check=True, cwd=some)
    for verb in ("explain", "explain", "show", "push", "push"):
        _say(f"{verb} of 1,000 variants, all fresh", [trtbuild, verb, "-m", *words(SOME)], some)
    for argv in (["gc"], ["trend", "model=m000"]):
        _say(f"{argv[0]} of 1,000 variants", [trtbuild, *argv], some)
    folder = scratch / "page"
    folder.mkdir()
    _say("page of 10,000 variants", [*synthetic, "page", str(folder)], ROOT)
    for name, bar in (("sweep.html", "bar 5 MB for both"), ("rows.js", ""), ("sweep.json", "")):
        say(f"  {name}", f"{(folder / name).stat().st_size / 1e6:.2f} MB", bar)


def calibration() -> float:
    """CPU time of a loop: what this machine and its load do to all times here."""
    started, count = time.process_time(), 0
    for i in range(10_000_000):
        count += i
    return time.process_time() - started


def _say(what: str, argv: list[str], root: Path, bar_s: float | None = None, bar_gb: float | None = None) -> None:
    """Run it; CPU time, and peak memory, against their bars: on an idle machine CPU time is the wall time."""
    before = _cpu()
    ran = run(argv, root)
    took, peak = _cpu() - before, ran.peak_bytes / 1e9
    against = "" if bar_s is None or bar_gb is None else (
        f"{took / bar_s:.2f} of {bar_s:g} s, {peak / bar_gb:.2f} of {bar_gb:g} GB")  # fmt: skip
    say(what, f"{took:.2f} s of CPU, {ran.seconds:.2f} s, peak {1000 * peak:.0f} MB", against)


def _cpu() -> float:
    """Seconds of CPU of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
