"""Tests of TensorFlow's intermediate values: what cannot be fetched, and the memory that fetching takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS, SIDE = 60, 2048  # 60 tensors, 16 MB of weights
WEIGHTS_MB = SIDE * SIDE * 4 / 1e6
COPIES = 12  # of the weights: in the graph, in a session, in its kernels; not for each of the tensors

# A graph of tensors whose shapes TensorFlow does not know before it runs, and a branch that is not taken.
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np, tensorflow as tf
from trtbuild.layers import tfvalues

folder, layers, side = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with tf.Graph().as_default() as graph:
    x = tf.compat.v1.placeholder(tf.float32, [None, None], "x")
    weights = tf.constant(np.random.default_rng(0).random((side, side), np.float32))
    y = tf.matmul(x, weights)
    for i in range(layers):
        y = tf.add(y, 1.0, f"y{i}")
    dead, live = tf.raw_ops.Switch(data=y, pred=tf.constant(True), name="switch")
    tf.negative(dead, "dead")
    tf.negative(live, "live")
(folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
del graph, x, weights, y, dead, live
wanted = {name: f"{name}:0" for name in [*(f"y{i}" for i in range(layers)), "dead", "live", "absent"]}

def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) / 1e3

before = status("VmRSS")
feeds = {"x:0": np.ones((1, side), np.float32)}
tfvalues.write_values(folder / "frozen.pb", wanted, feeds, folder, max_bytes=40 * 4 * side)
print(json.dumps(status("VmHWM") - before))
"""


@pytest.mark.slow
def test_fetching_every_tensor_takes_the_weights_a_few_times_and_leaves_out_what_is_dead(tmp_path: Path) -> None:
    """Unknown shapes do not make a run (and a copy of the weights) of every tensor."""
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path), str(LAYERS), str(SIDE)]
    done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    index = json.loads((tmp_path / "index.json").read_text())
    first, last = (np.load(tmp_path / index[name]) for name in ("y0", f"y{LAYERS - 1}"))

    assert list(index) == [*(f"y{i}" for i in range(LAYERS)), "live"]
    assert np.allclose(last - first, LAYERS - 1, atol=1e-2)
    assert float(done.stdout.splitlines()[-1]) < COPIES * WEIGHTS_MB
