"""Tests of the low types in real engines: each built for the devices that have it, and all of them in one network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.integration.conftest import Run

pytestmark = pytest.mark.slow
MIXED = "base: fp16\nscopes: {stem: int8, body: fp8, neck: int4, neck/last: nvfp4-weights, head: nvfp4}\n"
MODEL = """source: {kind: onnx, path: models/types/model.onnx}
inputs: {x: {dtype: float32, shape: [2, 3, 8, 8], range: [-1.0, 1.0]}}
data: {calibration: {kind: random, count: 12}, validation: {kind: random, count: 2}}
validation: {deviation: {cosine: 0.9}}
"""


def network(path: Path) -> None:
    """Two convolutions, a transposed one, a pointwise one and a product, each in a scope of its own."""
    rng = np.random.default_rng(0)
    shapes = {"a": (32, 3, 3, 3), "b": (32, 32, 3, 3), "c": (32, 32, 2, 2), "d": (48, 32, 1, 1), "m": (48, 10)}
    weights = {n: (rng.standard_normal(s) / np.sqrt(np.prod(s[1:]))).astype(np.float32) for n, s in shapes.items()}
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "a"], ["ya"], name="stem/conv", pads=[1] * 4),
        make("Relu", ["ya"], ["ra"], name="stem/relu"),
        make("Conv", ["ra", "b"], ["yb"], name="body/conv", pads=[1] * 4),
        make("Relu", ["yb"], ["rb"], name="body/relu"),
        make("ConvTranspose", ["rb", "c"], ["yc"], name="neck/up", strides=[2, 2]),
        make("Conv", ["yc", "d"], ["yd"], name="neck/last/conv"),
        make("GlobalAveragePool", ["yd"], ["p"], name="head/pool"),
        make("Flatten", ["p"], ["f"], name="head/flatten"),
        make("MatMul", ["f", "m"], ["y"], name="head/product"),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "types", [value("x", 1, [2, 3, 8, 8])], [value("y", 1, [2, 10])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    path.parent.mkdir(parents=True)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)


def test_every_type_is_built_and_proved(trtbuild: Run, tmp_path: Path) -> None:
    """fp8 for both devices that have it, and five types side by side, each where its scope says."""
    ws = tmp_path / "ws"
    trtbuild("init", "ws", cwd=tmp_path, check=0)
    network(ws / "models" / "types" / "model.onnx")
    (ws / "conf" / "model" / "types.yaml").write_text(MODEL)
    (ws / "conf" / "precision").mkdir(exist_ok=True)
    (ws / "conf" / "precision" / "all.yaml").write_text(MIXED)
    off = ("model=types", "layers=off", "latency=off")
    trtbuild("-m", *off, "precision=fp8", "target=sm89,sm120", check=0)
    trtbuild(*off, "precision=all", "target=sm120", check=0)
    found = {path.parent.name: json.loads(path.read_text()) for path in ws.glob("build/types/engine-*/passport.json")}
    types = {name.rsplit("-", 1)[0]: passport["compute_nodes"] for name, passport in found.items()}

    assert types == {
        "engine-fp8-rtx-1.7-sm89": {"float16": 1, "float8": 4}, "engine-fp8-rtx-1.7-sm120": {"float16": 1, "float8": 4},
        "engine-all-rtx-1.7-sm120": {
            "float16 with float4 weights": 1, "float16 with int4 weights": 1, "float4": 1, "float8": 1, "int8": 1,
        },
    }  # fmt: skip
    assert not any(passport["unproved_nodes"] for passport in found.values())
    promised = json.loads(next(ws.glob("build/types/lower-all-*/precision.json")).read_text())
    assert promised["compute"] == {
        "stem/conv": "int8", "body/conv": "float8", "neck/up": "float16 with int4 weights",
        "neck/last/conv": "float16 with float4 weights", "head/product": "float4",
    }  # fmt: skip
