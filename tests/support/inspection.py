"""Layer inspection of a small net: its lowering to int8, with faults planted in its graphs or in its map."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.support.graphs import copy, graph
from trtbuild.graphs import qdq
from trtbuild.layers import taps
from trtbuild.layers.inspection import inspect
from trtbuild.layers.jumps import find_jumps
from trtbuild.runtimes.onnxruntime import OnnxRuntimeSession

RNG = np.random.default_rng(0)
NET = """float[n,3,12,12] x => float[n,4] y {
    c0 = Conv <pads=[1,1,1,1]> (x, w0)
    r0 = Relu(c0)
    c1 = Conv <pads=[1,1,1,1]> (r0, w1)
    r1 = Relu(c1)
    c2 = Conv <pads=[1,1,1,1]> (r1, w2)
    r2 = Relu(c2)
    c3 = Conv <pads=[1,1,1,1]> (r2, w3)
    g = GlobalAveragePool(c3)
    y = Flatten(g)
}"""
SATURATED = """float[n,3,12,12] x => float[n,4] y {
    c0 = Conv <pads=[1,1,1,1]> (x, w0)
    r0 = Relu(c0)
    c1 = Conv <pads=[1,1,1,1]> (r0, w1, far)
    r1 = Clip(c1, low, high)
    c2 = Conv <pads=[1,1,1,1]> (r1, w2)
    r2 = Relu(c2)
    c3 = Conv <pads=[1,1,1,1]> (r2, w3)
    g = GlobalAveragePool(c3)
    y = Flatten(g)
}"""
TENSORS = ["c0", "r0", "c1", "r1", "c2", "r2", "c3", "g", "y"]
FEEDS = {"x": RNG.normal(size=(2, 3, 12, 12)).astype(np.float32)}
Change = Callable[[onnx.ModelProto], None]


def net() -> onnx.ModelProto:
    return graph(NET, **weights())


def saturated() -> onnx.ModelProto:
    """The second activation outputs only its two limits, whatever comes before it."""
    far = np.array([-50, 60, -70, 80], np.float32)
    return graph(SATURATED, **weights(), far=far, low=0.0, high=6.0)


def weights() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {f"w{i}": rng.normal(0, 0.25, (4, 3 if i == 0 else 4, 3, 3)).astype(np.float32) for i in range(4)}


def values_of(model: onnx.ModelProto, folder: Path) -> dict[str, Any]:
    """TensorFlow's part: every tensor in a file, NHWC, and the scope map that leads to it."""
    folder.mkdir()
    made = [name for n in model.graph.node for name in n.output]
    session = OnnxRuntimeSession(taps.with_outputs(model, made).SerializeToString(), "m", ["CPUExecutionProvider"])
    index = {}
    for i, (name, value) in enumerate(session.run(FEEDS).items()):
        index[name] = f"{i}.npy"
        np.save(folder / index[name], value.transpose(0, 2, 3, 1) if value.ndim == 4 else value)
    (folder / "index.json").write_text(json.dumps(index), "utf-8")
    nodes = {
        n.name: {"op": n.name, "type": n.op_type, "name": f"net/{n.name}", "scope": "net"} for n in model.graph.node
    }
    return {"nodes": nodes, "tensors": {name: {"tensor": f"{name}:0", "layout": None} for name in made}}


def int8(model: onnx.ModelProto, ranges: dict[str, float]) -> tuple[onnx.ModelProto, dict[str, str]]:
    lowered = copy(model)
    convs = [n for n in lowered.graph.node if n.op_type == "Conv"]
    compute = {n.name: "int8" for n in convs}
    qdq.insert(lowered, convs, ranges)
    return lowered, compute


def inspected(
    tmp_path: Path, *, exported: Change = lambda m: None, lowered: Change = lambda m: None,
    of: Callable[[], onnx.ModelProto] = net, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """The net against a lowering of it, each with a fault where one is planted."""
    truth = of()
    scopes = values_of(truth, tmp_path / "values")
    low, compute = int8(truth, {"x": 4.0, "r0": 4.0, "r1": 4.0, "r2": 4.0})
    high = copy(truth)
    exported(high)
    lowered(low)
    onnx.save(high, tmp_path / "model.onnx")
    onnx.save(low, tmp_path / "lowered.onnx")
    chosen = {
        "mode": "all", "scope": None, "op": None, "max_bytes": 1 << 30, "compute": compute,
        "runtime": {"providers": ["CPUExecutionProvider"]}, **options,
    }  # fmt: skip
    return inspect(
        exported=tmp_path / "model.onnx", lowered=tmp_path / "lowered.onnx", scopes=scopes, values=tmp_path / "values",
        feeds=FEEDS, options=chosen, from_tensorflow=True,
    )  # fmt: skip


def set_constant(name: str, change: Callable[[Any], Any]) -> Change:
    def planted(model: onnx.ModelProto) -> None:
        tensor = next(t for t in model.graph.initializer if t.name == name)
        value = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(change(value)).astype(value.dtype), name))

    return planted


def blamed(found: dict[str, Any], hop: str) -> list[str]:
    return [jump["name"] for jump in find_jumps(found["layers"], hop)]


def swapped(tmp_path: Path, **names: str) -> Change:
    """Tensors that the map leads to the values of others."""

    def swap(model: onnx.ModelProto) -> None:
        index = json.loads((tmp_path / "values" / "index.json").read_text("utf-8"))
        moved = {name: index[other] for name, other in names.items()}
        (tmp_path / "values" / "index.json").write_text(json.dumps(index | moved), "utf-8")

    return swap
