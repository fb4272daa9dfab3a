"""Tests of layer inspection: planted faults are found in the layer that has them, whatever the budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import constants, copy, graph, node
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
    """All that the second activation gives are its ends, whatever comes before it."""
    far = np.array([-50, 60, -70, 80], np.float32)
    return graph(SATURATED, **weights(), far=far, low=0.0, high=6.0)


def weights() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {f"w{i}": rng.normal(0, 0.25, (4, 3 if i == 0 else 4, 3, 3)).astype(np.float32) for i in range(4)}


def values_of(model: onnx.ModelProto, folder: Path) -> dict[str, Any]:
    """TensorFlow's part: every tensor in a file, NHWC; and the scope map that leads there."""
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


def shift_padding(model: onnx.ModelProto) -> None:
    conv = next(n for n in model.graph.node if n.output[0] == "c2")
    del conv.attribute[0].ints[:]
    conv.attribute[0].ints.extend([2, 2, 0, 0])


def blamed(found: dict[str, Any], hop: str) -> list[str]:
    return [jump["name"] for jump in find_jumps(found["layers"], hop)]


def test_every_tensor_is_compared_and_proved(tmp_path: Path) -> None:
    """NHWC values fit NCHW tensors although the scope map knows no layout."""
    found = inspected(tmp_path)

    assert [layer["name"] for layer in found["layers"]] == TENSORS
    assert {layer["proof"] for layer in found["layers"]} == {"value"}
    assert blamed(found, "export") == blamed(found, "total") == []
    assert (
        found["layers"][0]["cumulative"]["export"]["nrmse"] < 1e-6 < found["layers"][0]["cumulative"]["total"]["nrmse"]
    )


def test_a_layer_computes_in_what_it_was_promised(tmp_path: Path) -> None:
    """And elsewhere in its result's type."""
    found = inspected(tmp_path)

    assert {layer["name"]: layer["dtype"] for layer in found["layers"]}["c1"] == "int8"
    assert found["layers"][-1]["dtype"] == "float32"


def test_a_wrongly_exported_operation_is_the_exporters_first_jump(tmp_path: Path) -> None:
    """Its successors are wrong as well, but not by themselves."""
    found = inspected(tmp_path, exported=shift_padding)
    later = next(layer for layer in found["layers"] if layer["name"] == "c3")

    assert blamed(found, "export") == ["c2"]
    assert later["cumulative"]["export"]["nrmse"] > 0.05 and later["local"]["export"]["nrmse"] < 1e-6
    assert found["taps"]["wrongly_mapped"] == {}


def test_perturbed_weights_are_the_first_jump(tmp_path: Path) -> None:
    """One layer of the lowered graph, ten percent of noise."""
    noise = np.random.default_rng(2)
    name = next(n for n in constants(int8(net(), dict.fromkeys(("x", "r0", "r1", "r2"), 4.0))[0]) if n.startswith("w1"))
    found = inspected(tmp_path, lowered=set_constant(name, lambda w: w + noise.normal(0, 12, w.shape)))

    assert blamed(found, "total") == ["c1"]


def test_a_wrong_scale_is_the_first_jump(tmp_path: Path) -> None:
    """Too small by a factor of eight: most of the range is clipped."""

    def wrong(model: onnx.ModelProto) -> None:
        scale = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == "r1").input[1]
        set_constant(scale, lambda s: s / 8)(model)

    assert blamed(inspected(tmp_path, lowered=wrong), "total")[0] == "c2"


@pytest.mark.parametrize("max_bytes", [1, 20_000])
def test_a_small_budget_gives_the_same_numbers(tmp_path: Path, max_bytes: int) -> None:
    """In more runs; to rounding, since taps decide what is fused."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, parts = inspected(tmp_path / "a"), inspected(tmp_path / "b", max_bytes=max_bytes)

    for one, other in zip(whole["layers"], parts["layers"], strict=True):
        assert one["cumulative"]["total"]["nrmse"] == pytest.approx(other["cumulative"]["total"]["nrmse"], rel=1e-2)
        assert one["local"]["total"]["nrmse"] == pytest.approx(other["local"]["total"]["nrmse"], rel=1e-2, abs=1e-7)


def test_a_tensor_mapped_to_another_is_left_out(tmp_path: Path) -> None:
    """Its values differ, and what is computed from it agrees: the map is wrong, not the graph."""

    def swap(model: onnx.ModelProto) -> None:
        index = json.loads((tmp_path / "values" / "index.json").read_text("utf-8"))
        (tmp_path / "values" / "index.json").write_text(json.dumps({**index, "c1": index["c2"]}), "utf-8")

    found = inspected(tmp_path, exported=swap)

    assert list(found["taps"]["wrongly_mapped"]) == ["c1"]
    assert "c1" not in [layer["name"] for layer in found["layers"]]
    assert blamed(found, "export") == []


def test_neighbours_that_are_both_mapped_wrongly_are_left_out(tmp_path: Path) -> None:
    """Each is looked through to what is computed from it further on."""

    def shift(model: onnx.ModelProto) -> None:
        index = json.loads((tmp_path / "values" / "index.json").read_text("utf-8"))
        moved = {**index, "c1": index["c2"], "r1": index["r2"]}
        (tmp_path / "values" / "index.json").write_text(json.dumps(moved), "utf-8")

    found = inspected(tmp_path, exported=shift)

    assert sorted(found["taps"]["wrongly_mapped"]) == ["c1", "r1"]
    assert blamed(found, "export") == []


def swapped(tmp_path: Path, **names: str) -> Change:
    """Tensors of the map that lead to others."""

    def swap(model: onnx.ModelProto) -> None:
        index = json.loads((tmp_path / "values" / "index.json").read_text("utf-8"))
        moved = {name: index[other] for name, other in names.items()}
        (tmp_path / "values" / "index.json").write_text(json.dumps(index | moved), "utf-8")

    return swap


def test_an_error_that_saturation_swallows_is_no_wrong_map(tmp_path: Path) -> None:
    """Tensors that carry it are compared, and not blamed; of the one that makes it nothing shows that it matters."""
    found = inspected(tmp_path, of=saturated, exported=set_constant("w0", lambda w: w * 1.3))
    proofs = {layer["name"]: layer["proof"] for layer in found["layers"]}

    assert found["taps"]["wrongly_mapped"] == {}
    assert list(found["taps"]["undecided"]) == ["c0"]
    assert (proofs["r0"], proofs["c1"], proofs["r1"], proofs["y"]) == ("local value", "local value", "value", "value")
    assert blamed(found, "export") == []


def test_a_wrong_map_behind_which_all_saturates_is_not_called_proved(tmp_path: Path) -> None:
    """Any value gives the same there: it is left out, and the exporter is not blamed for it."""

    def another(model: onnx.ModelProto) -> None:
        path = tmp_path / "values" / json.loads((tmp_path / "values" / "index.json").read_text("utf-8"))["c1"]
        np.save(path, 3 * np.load(path))

    found = inspected(tmp_path, of=saturated, exported=another)

    assert found["taps"]["wrongly_mapped"] == {} and list(found["taps"]["undecided"]) == ["c1"]
    assert blamed(found, "export") == []


def test_a_wrong_map_beside_a_swallowed_error_is_still_proved(tmp_path: Path) -> None:
    """Each is fed by itself; what lies before the saturation stays."""

    def both(model: onnx.ModelProto) -> None:
        set_constant("w0", lambda w: w * 1.3)(model)
        swapped(tmp_path, c2="c3")(model)

    found = inspected(tmp_path, of=saturated, exported=both)

    assert list(found["taps"]["wrongly_mapped"]) == ["c2"]
    assert {"r0", "c1", "r2"} <= {layer["name"] for layer in found["layers"]}


def test_what_only_amplifies_is_not_blamed(tmp_path: Path) -> None:
    """A softmax over large differences of a quantised product: exact by itself, and far off as it runs."""
    sharp = """float[n,3,12,12] x => float[n,4,12,12] y {
        c0 = Conv <pads=[1,1,1,1]> (x, w0)
        l = Mul(c0, gain)
        y = Softmax <axis = 1> (l)
    }"""
    found = inspected(tmp_path, of=lambda: graph(sharp, **weights(), gain=30000.0))
    softmax = found["layers"][-1]

    before = found["layers"][-2]
    assert softmax["cumulative"]["total"]["nrmse"] > 10 * before["cumulative"]["total"]["nrmse"]
    assert softmax["local"]["total"]["nrmse"] < 1e-6
    assert blamed(found, "total") == []


def test_one_scope_or_type_is_converted_by_itself(tmp_path: Path) -> None:
    """A graph for each tensor, with all before it fused as the runtime likes."""
    found = inspected(tmp_path, mode="per_op", op="Conv")

    assert [layer["name"] for layer in found["layers"]] == ["c0", "c1", "c2", "c3"]
    assert found["layers"][2]["parents"] == ["r1"]
    assert all(layer["local"]["export"]["nrmse"] < 1e-6 for layer in found["layers"])


def test_fusion_preserving_taps_leave_fused_tensors_alone(tmp_path: Path) -> None:
    """A convolution and its activation are one kernel; nobody sees what lies between them."""
    found = inspected(tmp_path, mode="fusion", compute={})
    seen = {layer["name"] for layer in found["layers"]}

    assert seen and not seen & {"c0", "c1", "c2"}
    assert "y" in seen


def test_final_outputs_are_kept_for_the_check(tmp_path: Path) -> None:
    """Of both graphs and of the reference."""
    found = inspected(tmp_path)

    assert {side: list(outputs) for side, outputs in found["final"].seen.items()} == {
        "exported": ["y"], "lowered": ["y"], "reference": ["y"],
    }  # fmt: skip


def test_an_onnx_source_is_its_own_reference(tmp_path: Path) -> None:
    """There is no exporter to blame, and no map to prove."""
    truth = net()
    low, compute = int8(truth, dict.fromkeys(("x", "r0", "r1", "r2"), 4.0))
    onnx.save(truth, tmp_path / "model.onnx")
    onnx.save(low, tmp_path / "lowered.onnx")
    (tmp_path / "values").mkdir()
    found = inspect(
        exported=tmp_path / "model.onnx", lowered=tmp_path / "lowered.onnx", scopes={"nodes": {}, "tensors": {}},
        values=tmp_path / "values", feeds=FEEDS, from_tensorflow=False,
        options={"mode": "all", "scope": None, "op": None, "max_bytes": 10_000, "compute": compute,
                 "runtime": {"providers": ["CPUExecutionProvider"]}},
    )  # fmt: skip

    assert [layer["name"] for layer in found["layers"]] == TENSORS
    assert set(found["layers"][0]["cumulative"]) == set(found["layers"][0]["local"]) == {"total"}
    assert node(truth, "Flatten").output[0] == found["layers"][-1]["name"]
