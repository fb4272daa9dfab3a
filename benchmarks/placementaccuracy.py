"""SQNR of the forms of int8, paired: every range is changed by up to 3 %, in the same way for each form.

One calibration is one draw: in MobileNetV2 with random weights, rounding differently somewhere moves it by some dB.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.core.spec import Lowering

SHIPPED = Lowering("int8", "int8", quantize_ops=("Conv", "MatMul", "Gemm"), rest="float16")
BEFORE = "float32 rest, scales by channel, depthwise in int8"
FORMS: Mapping[str, Lowering] = {
    BEFORE: replace(SHIPPED, rest="float32", quantize_depthwise=True),
    "float32 rest, scales by channel": replace(SHIPPED, rest="float32"),
    "float16 rest, scales by channel": replace(SHIPPED, weight_scales="channel"),
    "**as shipped**": SHIPPED,
    "as shipped, depthwise in int8": replace(SHIPPED, quantize_depthwise=True),
    "as shipped, shortcuts quantised": replace(SHIPPED, quantize_residual_adds=True),
}
MODELS, REPEATS, SAMPLES, CHANGE = ("segnet", "mobilenet_v2", "lenet"), 8, 16, 0.03


def measured(workspace: Path, model: str) -> dict[str, list[float]]:
    """SQNR in dB of the first output against the exported graph, by form, of each draw; the first changes nothing."""
    import onnx

    from trtbuild.graphs.graph import hoist_constants

    graph = onnx.load(next(workspace.glob(f"build/{model}/export-*/model.onnx")))
    hoist_constants(graph.graph)
    path = next(workspace.glob(f"build/{model}/lower-int8-residual-*/precision.json"))
    # A depthwise convolution's range is in the form that quantises it, a shortcut's in the other.
    scales = json.loads(path.read_text("utf-8"))["scales"]
    path = next(workspace.glob(f"build/{model}/lower-int8-depthwise-*/precision.json"))
    scales |= json.loads(path.read_text("utf-8"))["scales"]
    with np.load(workspace / "models" / model / "validation.npz") as arrays:
        inputs = {value.name for value in graph.graph.input}
        feeds = {name: arrays[name].astype(np.float32)[:SAMPLES] for name in arrays.files if name in inputs}
    reference, random = _run(graph, feeds), np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in FORMS}
    for draw in range(REPEATS):
        change = 0.0 if draw == 0 else CHANGE
        ranges = {name: scale * 127 * (1 + random.uniform(-change, change)) for name, scale in scales.items()}
        for name, lowering in FORMS.items():
            found[name].append(_sqnr(reference, _run(_lowered(graph, lowering, ranges), feeds)))
    return found


def _lowered(graph: Any, lowering: Lowering, ranges: Mapping[str, float]) -> Any:
    from trtbuild.graphs import lowered
    from trtbuild.graphs.placement import Placement

    model = type(graph).FromString(graph.SerializeToString())
    placement = Placement(lowering)
    lowered.prepare(model, placement)
    nodes, _ = lowered.quantised_nodes(model, placement)
    lowered.write(model, placement, nodes, ranges)
    return model


def _run(model: Any, feeds: Mapping[str, Any]) -> Any:
    from trtbuild.runtimes.onnxruntime import session_of

    session = session_of(model, "the graph")
    name = model.graph.output[0].name
    count = len(next(iter(feeds.values())))
    rows = [session.run({key: value[i : i + 4] for key, value in feeds.items()})[name] for i in range(0, count, 4)]
    return np.concatenate(rows).astype(np.float64)


def _sqnr(reference: Any, result: Any) -> float:
    return 10 * math.log10(float((reference**2).sum() / ((reference - result) ** 2).sum()))


def table(found: Mapping[str, Mapping[str, list[float]]]) -> list[str]:
    """Lines of Markdown: mean SQNR, and the mean difference to what was before with its standard error."""
    lines = ["| model | form | mean SQNR | against the first row |", "|---|---|---|---|"]
    for model, forms in found.items():
        for name, values in forms.items():
            differences = [a - b for a, b in zip(values, forms[BEFORE], strict=True)]
            error = statistics.stdev(differences) / math.sqrt(len(differences))
            against = "" if name == BEFORE else f"{statistics.mean(differences):+.2f} ± {error:.2f} dB"
            lines.append(f"| {model} | {name} | {statistics.mean(values):.2f} dB | {against} |")
    return lines
