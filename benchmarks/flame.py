"""Flame graphs of generated engines: 388 layers as all files, and 5,000 frames in a browser's reach."""

from __future__ import annotations

import json
import random
import statistics
import sys
from pathlib import Path

from benchmarks.measure import run

LAYERS, MANY, RUNS, SEED = 388, 2650, 10, 7


def generate(folder: Path, layers: int) -> tuple[Path, Path]:
    """A profile and its layer file: fused convolutions, one layer in 9 a reformat, one in 13 without time."""
    chance = random.Random(SEED)
    rows: list[dict[str, object]] = [{"count": 100}]
    entries = []
    for i in range(layers):
        block = f"net/stage_{i // 40}/block_{i // 8}"
        nodes = [f"{block}/conv_{i}/Conv2D", f"{block}/bn_{i}/FusedBatchNormV3", f"{block}/relu_{i}/Relu"]
        name = ("Reformatting CopyNode for Input Tensor 0 to " if i % 9 == 3 else "") + " + ".join(nodes)
        time_ms = 0.0 if i % 13 == 5 else round(0.002 + chance.random() / 20, 6)
        rows.append({"name": name, "timeMs": 100 * time_ms, "averageMs": time_ms, "medianMs": time_ms, "percentage": 0})
        tensor = {"Name": "t", "Dimensions": [1, 64, 56, 56], "Format/Datatype": "Half"}
        entries.append(
            {
                "Name": name, "LayerType": "CaskConvolution", "Inputs": [tensor], "Outputs": [tensor],
                "ParameterType": "Convolution", "OutMaps": 64, "Weights": {"Type": "Half", "Count": 36864},
                "StreamId": 0, "Metadata": "\x1e".join(f"[ONNX Layer: {node}]" for node in nodes),
            }
        )  # fmt: skip
    profile, layer_file = folder / f"{layers}.profile.json", folder / f"{layers}.layers.json"
    profile.write_text(json.dumps(rows))
    layer_file.write_text(json.dumps({"Layers": entries, "Bindings": []}))
    return profile, layer_file


def measure(scratch: Path) -> list[tuple[str, str, str]]:
    """Rows of (what, measured, bar); whole processes, medians."""
    said = []
    for layers, runs, bar in ((LAYERS, RUNS, "bar 1.0 s"), (MANY, 3, "no bar")):
        profile, layer_file = generate(scratch, layers)
        out = scratch / f"out{layers}"
        words = ["flamegraph", str(profile), "--layers", str(layer_file), "-o", str(out)]
        argv = [sys.executable, "-m", "trtbuild", *words]
        seconds = [run(argv, Path(__file__).resolve().parents[1]).seconds for _ in range(runs)]
        svg = (out / "flamegraph.svg").read_text("utf-8")
        time_s = f"{statistics.median(seconds):.2f} s (max {max(seconds):.2f}, n={runs})"
        said.append((f"flame graph of {layers} layers, all files", time_s, bar))
        frames = svg.count("<title>")  # the picture's own has an id
        said.append((f"  its SVG, {frames} frames", f"{len(svg.encode()) / 1e3:.0f} kB", "bar 1,000 kB"))
    return said
