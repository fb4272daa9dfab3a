"""Tests that memory does not grow with the number of samples, from the data source to the deviation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ELEMENTS = 8192  # of one sample: 32 kB
FEW, MANY = 100, 800
GROWTH_MB = 12  # less than half of one array of the longer run, which holds 26 MB

# What the steps do, without TensorFlow: read, run, record, compare.  Prints the peak of its own memory in kB.
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from trtbuild.core.job import Job
from trtbuild.arrays import data, outputs
from trtbuild.steps import deviation

where, count, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
inputs = {"x": {"dtype": "float32", "shape": [None, int(sys.argv[4])], "profile": {"max": 8, "opt": 1},
                "range": [0, 1]}}
source = {"random": {"kind": "random", "count": count, "seed": 0}, "file": "data.npz",
          "callable": {"kind": "factory", "callable": "tests.steps.test_memory:samples", "arguments": {"count": count}}}

class Session:
    def __init__(self, factor):
        self.factor = factor
    def run(self, feeds):
        return {"y": feeds["x"] * self.factor, "labels": (feeds["x"][:, :64] * 9).astype(np.int64)}

made = {}
for side, factor in (("reference", 1.0), ("exported", 1 + 1e-6), ("lowered", 1.01)):
    samples = data.Source(source[kind], where / "data.npz", inputs, "data", scratch=where).samples()
    found = outputs.record(where / f"{side}.npz", outputs.run_all(Session(np.float32(factor)), samples, inputs))
    runtime = {"runtime": "none", "version": "1", "executes": "graph", "emulated": None,
               "samples": found.samples, "rows": dict(found.rows)}
    (where / f"{side}.json").write_text(json.dumps(runtime))
    made |= {side: str(where / f"{side}.npz"), f"{side}_runtime": str(where / f"{side}.json")}
about = {"sets": {"validation": {"source": "data.npz", "random": False}}, "task": None}
deviation.run(Job("deviation", about, made, str(where), str(where)))
# Not ru_maxrss: a child begins with its parent's.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def samples(count: int):  # type: ignore[no-untyped-def]
    """A user's callable."""
    return ({"x": np.random.default_rng(i).random(ELEMENTS, np.float32)} for i in range(count))


def peak_mb(folder: Path, count: int, kind: str) -> float:
    folder.mkdir()
    if kind == "file":
        np.savez_compressed(folder / "data.npz", x=np.random.default_rng(0).integers(0, 99, (count, ELEMENTS)))
    argv = [sys.executable, "-c", SCRIPT, str(folder), str(count), kind, str(ELEMENTS)]
    return int(subprocess.run(argv, cwd=ROOT, check=True, capture_output=True).stdout) / 1e3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "file", "callable"])
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path, kind: str) -> None:
    """Eight times the samples: the peak of the whole process stays."""
    few, many = (peak_mb(tmp_path / str(count), count, kind) for count in (FEW, MANY))

    assert many - few < GROWTH_MB
