"""Artifacts of one small variant, as the steps write them, for tests of reports and pages."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtbuild.core.verdict import deviation_checks, verdict_document
from trtbuild.deviation.histograms import LOG10_EDGES
from trtbuild.deviation.layout import Classes
from trtbuild.deviation.statistics import measure
from trtbuild.layers.jumps import find_jumps
from trtbuild.reports import deviation, layers, overview

HOPS = {"export": (0, 1), "precision": (1, 2), "total": (0, 2)}
VARIANT = {
    "id": "segnet-int8-rtx-1.7-onnxruntime", "model": "segnet", "precision": "int8", "tensorrt": "rtx-1.7",
    "runtime": "onnxruntime", "target": "portable", "calibration": "minmax", "source": "onnx", "opset": 17,
    "random_validation": False,
}  # fmt: skip
ONNXRUNTIME = {"runtime": "onnxruntime", "version": "1.31", "executes": "graph", "emulated": None, "providers": ["CPU"]}
TENSORRT = {"runtime": "tensorrt-rtx", "version": "1.7", "executes": "engine", "emulated": None,
            "providers": ["a GPU, compute capability 8.9"]}  # fmt: skip
TENSORFLOW = {"runtime": "tensorflow", "version": "2.21", "executes": "source model", "emulated": None}
PASSPORT: dict[str, Any] = {
    "sha256": "a" * 64, "bytes": 1_234_567, "flavour": "tensorrt-rtx", "version": "1.7",
    "compute_capabilities": ["8.9"],
    "strongly_typed": True, "tf32": False, "onnx_sha256": "b" * 64,
    "profiles": {"x": [[1, 8], [4, 8], [8, 8]]},
    "inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 8]}], "outputs": [],
    "network_layers": 3, "executed": False, "compute_nodes": {"int8": 2}, "unproved_nodes": [],
    "work_share": {"int8": 1.0},
    "compiled": {"nodes": {}, "unplaced": [], "unjudged": [], "operands": {"int8": 1.0},
                 "results": {"float32": 1.0}},
}  # fmt: skip


def artifacts(
    outputs: tuple[str, ...] = ("scores",),
    moves: tuple[float, float] = (2.0**-20, 2.0**-7),
    sets: tuple[str, ...] = (),
    engine: float | None = None,
) -> dict[str, Any]:
    """What the report step reads; ``moves`` is how far export and precision move every output, ``engine`` TensorRT."""
    reference = np.arange(-8, 8).reshape(2, 8).astype(np.float32) / 8
    ends = np.cumsum([0.0, *moves, *([] if engine is None else [engine])])
    runs = [reference + np.float32(end) for end in ends]
    between = HOPS if engine is None else {**HOPS, "engine": (2, 3), "total": (0, 3)}
    found = {
        hop: {n: measure(runs[a], runs[b], per_sample=True, classes=Classes(1, "shape")) for n in outputs}
        for hop, (a, b) in between.items()
    }
    hops, counts, details = (
        {hop: {name: getattr(m, part) for name, m in by_name.items()} for hop, by_name in found.items()}
        for part in ("summary", "histogram", "detail")
    )
    further = {"hops": hops, "samples": 2, "runtimes": {}, "source": {"kind": "random"}, "random": True}
    rows = dict.fromkeys(outputs, "sample")
    checks = deviation_checks(hops["total"], {"max_abs": 0.1})
    return {
        "verdict": verdict_document(checks, judging=1, why_not="", further=0, not_judged={}),
        "deviation": {
            "hops": hops, "samples": 2, "sets": dict.fromkeys(sets, further),
            "runtimes": {"reference": TENSORFLOW, "exported": ONNXRUNTIME, "lowered": ONNXRUNTIME,
                         **({} if engine is None else {"engine": TENSORRT})},
        },
        "histograms": {
            "log10_edges": [float(edge) for edge in LOG10_EDGES], "hops": counts,
            "sets": {key: {"hops": counts} for key in sets},
        },
        "details": {"hops": details, "rows": rows, "sets": {key: {"hops": details, "rows": rows} for key in sets}},
        "passport": dict(PASSPORT),
        "precision": {"nodes_by_dtype": {"int8": 2}, "kept_float32": {}, "calibration": None},
    }  # fmt: skip


def numbers(nrmse: float) -> dict[str, Any]:
    """Errors of one layer, as layers/layererror.py gives them."""
    return {"median": nrmse / 2, "max": 4 * nrmse, "nrmse": nrmse, "sqnr_db": 40.0, "cosine": 0.9999,
            "max_abs": 8 * nrmse, "rms": 2.0, "nonfinite": 0, "hidden": None}  # fmt: skip


def layer(name: str, *parents: str, dtype: str = "int8", local: float | None = 0.01, **changed: Any) -> dict[str, Any]:
    """One row of layers.json."""
    return {
        "name": name, "tensor": f"{name}:0", "path": f"net/{name}", "scope": "net", "type": "Conv2D", "op": "Conv",
        "members": [f"net/{name}_bn/batchnorm/mul_1"],
        "shape": [1, 8, 4, 4], "parents": list(parents), "proof": "value", "dtype": dtype,
        "cumulative": {"export": numbers(1e-7), "precision": numbers(0.02), "total": numbers(0.02)},
        "local": {} if local is None else {"export": numbers(1e-7), "total": numbers(local)}, "expected_nrmse": 0.01,
        **changed,
    }  # fmt: skip


def layers_json(*rows: dict[str, Any], **jumps: Any) -> dict[str, Any]:
    """What the layers step writes."""
    equal = {"compared": ["scores"], "equal": True, "max_abs": 0.0, "nrmse": 0.0}
    return {
        "mode": "all", "scope": None, "op": None, "samples": 1, "reference": "TensorFlow", "layers": list(rows),
        "taps": {
            "mode": "all", "tensors": 3, "mapped": len(rows), "compared": len(rows), "same_value": 2, "proved": 2,
            "unmapped": ["Transpose:0"], "wrongly_mapped": {}, "undecided": {}, "emulated": [], "frozen_outputs": equal,
            "outputs": {"exported": equal, "lowered": equal},
        },
        "jumps": {"export": [], "total": [], **jumps},
    }  # fmt: skip


def page(**changed: Any) -> dict[str, Any]:
    made = overview.collect(VARIANT, artifacts(**changed))
    rows = [layer("conv1"), layer(changed.get("outputs", ("conv2",))[0], "conv1", local=0.4)]
    jumps = find_jumps([rows[0], layer("like"), layer("like2"), rows[1]], "total")
    return {**made, "layers": layers.collect(layers_json(*rows, total=jumps))}


def template_data(page: dict[str, Any], current: str) -> dict[str, Any]:
    """What the report step gives to every template."""
    extra = {
        "compared": overview.COMPARED,
        "titles": deviation.TITLES,
        "findings": overview.findings(page),
        "hop_names": layers.HOP_NAMES,
        "hops": overview.shown_hops(page),
        "guilty": deviation.GUILTY,
    }
    extra["sections"] = deviation.sections(page)
    charts = {"overview": [], "deviation": deviation.charts(page), "layers": layers.charts({"id": page["layers"]})}
    return {"page": page, "charts": charts[current], **extra, "current": current, "pages": list(charts)}
