"""Sweeps: sharing of steps against builds of one variant each, and a large sweep with nothing to do."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

from benchmarks.measure import run, say

MODELS, PRECISIONS, VERSIONS = ("segnet", "lenet", "mobilenet_v2"), ("fp32", "fp16", "bf16"), ("rtx-1.6", "rtx-1.7")
MANY_MODELS, MANY_PRECISIONS = 16, ("fp32", "tf32", "fp16", "bf16")
MANY_VERSIONS = ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7")
NOOP_RUNS = 15
Fresh = Callable[[Path], Path]


def sharing(scratch: Path, fresh: Fresh, trtbuild: str) -> None:
    """One sweep, and its 18 variants one at a time in workspaces that know nothing; the toolchains are installed."""
    for extra in ((), ("latency=off",)):
        name = " ".join(extra) or "defaults"
        words = [f"model={','.join(MODELS)}", f"precision={','.join(PRECISIONS)}", f"tensorrt={','.join(VERSIONS)}"]
        together = run([trtbuild, "-m", *words, *extra], fresh(scratch / f"sweep-{len(extra)}")).seconds
        alone = 0.0
        for i, (model, precision, version) in enumerate(product(MODELS, PRECISIONS, VERSIONS)):
            workspace = fresh(scratch / f"alone-{len(extra)}-{i}")
            choice = [f"model={model}", f"precision={precision}", f"tensorrt={version}"]
            alone += run([trtbuild, *choice, *extra], workspace).seconds
            subprocess.run(["rm", "-rf", str(workspace)], check=True)
        say(f"sweep of 18 variants, {name}", f"{together:.0f} s (n=1)", "")
        say("  the 18 one at a time", f"{alone:.0f} s", f"ratio {together / alone:.2f} (bar 0.40)")


def nothing(scratch: Path, trtbuild: str) -> None:
    """256 variants of tiny models, built once; then the same words again."""
    workspace = _many(scratch / "many", trtbuild)
    words = [f"model={','.join(f'm{i}' for i in range(MANY_MODELS))}", f"precision={','.join(MANY_PRECISIONS)}",
             f"tensorrt={','.join(MANY_VERSIONS)}", "latency=off", "layers=off"]  # fmt: skip
    first = run([trtbuild, "-m", *words], workspace).seconds
    again = [run([trtbuild, "-m", *words], workspace).seconds for _ in range(NOOP_RUNS)]
    planned = run([trtbuild, "plan", "-m", *words], workspace).seconds
    took = f"{statistics.median(again):.3f} s (max {max(again):.3f}, n={NOOP_RUNS})"
    say("sweep of 256 variants, nothing to do", took, "bar 0.5 s")
    say("  built the first time", f"{first:.0f} s", f"planned anew: {planned:.1f} s")


def _many(folder: Path, trtbuild: str) -> Path:
    import numpy as np
    import onnx
    import onnx.helper as make

    sources = folder.with_name("sources")
    sources.mkdir()
    for i in range(MANY_MODELS):
        weights = np.random.default_rng(i).normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
        image = make.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
        features = make.make_tensor_value_info("features", onnx.TensorProto.FLOAT, [1, 4, 6, 6])
        node = make.make_node("Conv", ["image", "w"], ["features"], name="conv")
        graph = make.make_graph([node], "g", [image], [features], [onnx.numpy_helper.from_array(weights, "w")])
        path = sources / f"m{i}.onnx"
        onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), path)
        run([trtbuild, "init", str(folder), "--from", str(path)], folder.parent)
    return folder
