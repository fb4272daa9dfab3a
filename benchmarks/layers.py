"""Layer inspection against the naive way (a conversion for every op) and against the bare runs it needs; its memory."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import run, say

RUNS = 3
NAIVE_OPS = 10

# Each runs as a process of its own, told the folders of the steps.  The first is the article's loop with tf2onnx's
# public function, TensorFlow loaded once; it prints seconds for each op.
NAIVE = """
import json, sys, time
import numpy as np, onnxruntime as ort, tensorflow as tf, tf2onnx
export, data, count = sys.argv[1:4]
scopes = json.load(open(f"{export}/scopes.json"))["tensors"]
graph_def = tf.compat.v1.GraphDef.FromString(open(f"{export}/frozen.pb", "rb").read())
image = next(iter(np.load(data).values()))[:1].astype(np.float32)
source = scopes["image"]["tensor"]
names = [entry["tensor"] for name, entry in scopes.items() if name != "image"]
chosen = [names[i * len(names) // int(count)] for i in range(int(count))]
seconds = []
for name in chosen:
    started = time.perf_counter()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        wanted = tf.compat.v1.Session(graph=graph).run(name, {source: image})
    model, _ = tf2onnx.convert.from_graph_def(graph_def, input_names=[source], output_names=[name], opset=17)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {source: image})[0]
    np.median(np.abs(found - wanted))
    seconds.append(time.perf_counter() - started)
print(json.dumps({"seconds": seconds, "ops": len(names)}))
"""
# The step's own work where the libraries are loaded already, as they are for the naive loop.
WARM = """
import os, sys, tempfile, time
import tensorflow, onnx, onnxruntime
from pathlib import Path
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.core.job import Job
from trtbuild.steps import layers
workspace, words = sys.argv[1], sys.argv[2:]
os.chdir(workspace)
(roles,) = plan_overrides(find_workspace(Path(workspace)), words, sweep=False).plan.variants.values()
step = roles["layers"]
with tempfile.TemporaryDirectory() as folder:
    os.mkdir(f"{folder}/out")
    inputs = {name: f"{workspace}/{source.path}" for name, source in step.inputs.items()}
    started = time.perf_counter()
    layers.run(Job("layers", step.params, inputs, f"{folder}/out", workspace))
    print(time.perf_counter() - started)
"""
TF_RUN = """
import json, sys
import numpy as np, tensorflow as tf
export, data = sys.argv[1:3]
scopes = json.load(open(f"{export}/scopes.json"))["tensors"]
image = next(iter(np.load(data).values()))[:1].astype(np.float32)
with tf.Graph().as_default() as graph:
    tf.import_graph_def(tf.compat.v1.GraphDef.FromString(open(f"{export}/frozen.pb", "rb").read()), name="")
tensors = [entry["tensor"] for name, entry in scopes.items() if name != "image"]
tf.compat.v1.Session(graph=graph).run(tensors, {scopes["image"]["tensor"]: image})
"""
ORT_RUN = """
import sys
import numpy as np, onnx, onnxruntime as ort
from trtbuild.layers import taps
lower, data = sys.argv[1:3]
model = onnx.load(f"{lower}/lowered.onnx")
model = taps.with_outputs(model, taps.activations(model))
image = next(iter(np.load(data).values()))[:1].astype(np.float32)
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"image": image})
"""


def measure(scratch: Path, fresh_workspace: Callable[[Path], Path], trtbuild: str, root: Path) -> None:
    workspace = fresh_workspace(scratch / "layers")
    folders = _built(workspace, trtbuild, "mobilenet_v2")
    data = str(workspace / "models/mobilenet_v2/validation.npz")
    python = [sys.executable, "-c"]

    naive = json.loads(run([*python, NAIVE, folders["export"], data, str(NAIVE_OPS)], root).output.splitlines()[-1])
    whole = statistics.median(naive["seconds"]) * naive["ops"]
    words = ["model=mobilenet_v2", "precision=int8", "latency=off"]
    warm = statistics.median(
        float(run([*python, WARM, str(workspace), *words], root).output.splitlines()[-1]) for _ in range(RUNS)
    )
    tf_run, ort_run, step = [], [], []
    for _ in range(RUNS):
        tf_run.append(run([*python, TF_RUN, folders["export"], data], root).seconds)
        ort_run.append(run([*python, ORT_RUN, folders["lower"], data], root).seconds)
        step.append(run([trtbuild, "rerun", folders["layers"]], workspace))
    ours = statistics.median(m.seconds for m in step)
    bare = statistics.median(tf_run) + statistics.median(ort_run)
    say(
        f"mobilenet_v2, one conversion for each of {naive['ops']} ops", f"{whole:.0f} s (from {NAIVE_OPS} ops)", "naive"
    )
    say(
        "  all layers at once, libraries loaded too",
        f"{warm:.1f} s (median of {RUNS})",
        f"{whole / warm:.0f}x (bar 20)",
    )
    say("  the layers step, whole process", f"{ours:.1f} s (median of {RUNS})", f"{whole / ours:.0f}x")
    say(
        "  one TensorFlow and one ONNX Runtime run",
        f"{bare:.1f} s (processes)",
        f"step / runs {ours / bare:.2f} (bar 3)",
    )

    folders = _built(workspace, trtbuild, "inception_v3", "layers.max_bytes=256MB")
    peak = run([trtbuild, "rerun", folders["layers"]], workspace).peak_bytes
    say("inception_v3, layers.max_bytes=256MB", f"peak {peak / 1e9:.2f} GB (process tree)", "bar 1.5 GB")


def _built(workspace: Path, trtbuild: str, model: str, *words: str) -> dict[str, str]:
    """Build int8 and tell the absolute folders of its steps."""
    overrides = [f"model={model}", "precision=int8", "latency=off", *words]
    run([trtbuild, *overrides], workspace)
    shown = json.loads(run([trtbuild, "show", *overrides, "--json"], workspace).output)
    return {kind: str(workspace / step["folder"]) for kind, step in shown["variants"][0]["steps"].items()}
