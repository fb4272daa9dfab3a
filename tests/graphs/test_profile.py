"""Tests of node times: real traces of ONNX Runtime, and made ones for what cannot be timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.base.errors import ModelError, ToolchainError
from trtbuild.graphs.profile import (
    FIRST_RUNS,
    Profile,
    from_layer_runs,
    from_onnxruntime,
    integer_share,
    kernel_counts,
    label_nodes,
    summarise,
)
from trtbuild.runtimes import onnxruntime

RUNTIME = {"providers": ["CPUExecutionProvider"]}
HOSTILE = 'a"b\\</script>;\u001e\n'
Event = dict[str, Any]


def kernel(label: str, ts: int, dur: int, op_type: str = "Relu") -> Event:
    return {"cat": "Node", "name": f"{label}_kernel_time", "ts": ts, "dur": dur, "args": {"op_name": op_type}}


def run_of(ts: int, *kernels: Event) -> list[Event]:
    return [*kernels, {"cat": "Session", "name": "model_run", "ts": ts, "dur": 100}]


def trace(*runs: list[Event]) -> list[Event]:
    dropped = [run_of(-1000 * (i + 1), kernel("trtbuild_node_0_", -1000 * (i + 1), 50)) for i in range(FIRST_RUNS)]
    return [event for run in (*dropped, *runs) for event in run]


def test_every_run_has_its_time_and_the_first_are_dropped() -> None:
    """Microseconds become milliseconds, in execution order."""
    events = trace(
        run_of(0, kernel("trtbuild_node_1_", 1, 5), kernel("trtbuild_node_0_", 20, 7)),
        run_of(200, kernel("trtbuild_node_1_", 201, 6), kernel("trtbuild_node_0_", 220, 8)),
    )

    found = from_onnxruntime(events, ["last", "first"])
    assert list(found.times.items()) == [("first", [0.005, 0.006]), ("last", [0.007, 0.008])]
    assert (found.runs, found.op_types) == (2, {"first": "Relu", "last": "Relu"})


def test_a_loops_body_adds_up_and_an_unused_branch_is_zero() -> None:
    """A node that runs thrice in one run and never in the next."""
    body = [kernel("trtbuild_node_0_", at, 2) for at in (1, 10, 20)]

    assert from_onnxruntime(trace(run_of(0, *body), run_of(200)), ["body"]).times == {"body": [0.006, 0.0]}


def test_two_nodes_of_one_name_stay_two() -> None:
    """The second owner is numbered; what the runtime made of a node keeps its mark."""
    labels = ("trtbuild_node_0_", "trtbuild_node_1_", "trtbuild_node_1_/duplicated", "Inserted_trtbuild_node_0_Cast")
    events = trace(run_of(0, *(kernel(label, 1 + i, 1) for i, label in enumerate(labels))))

    assert list(from_onnxruntime(events, ["x", "x"]).times) == ["x", "x #2", "x/duplicated", "Inserted_xCast"]


def saved(tmp_path: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_hostile_names_come_back_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime writes them unescaped into its trace, which stays nowhere."""
    monkeypatch.chdir(tmp_path)
    model = graph("float[2] x => float[2] z { y = Mul(x, w) z = Softplus(y) }", w=[2, 3])
    model.graph.node[0].name, model.graph.node[1].name = HOSTILE, ""
    path = saved(tmp_path, model)
    found = onnxruntime.profile_nodes(path, RUNTIME, 1, {"x": np.zeros(2, np.float32)}, 0.0, 9)

    assert list(found.times) == [HOSTILE, "Softplus #1"]
    assert list(tmp_path.iterdir()) == [path]


def test_kernels_at_full_speed_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the runtime fused the graph to."""
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, graph("float[2,2] x => float[2,2] z { y = MatMul(x, w) z = Relu(y) }", w=[[1, 2], [3, 4]]))
    found = onnxruntime.count_kernels(path, RUNTIME, 1, {"x": np.zeros((2, 2), np.float32)})

    assert integer_share(found) == (0, 1)


def test_kernels_that_fell_back_to_the_cpu_are_counted_apart() -> None:
    """A provider takes the nodes that it knows; the others silently run on the CPU."""
    run = {"cat": "Session", "name": "model_run", "ts": 0, "dur": 9}
    kernels = [
        {"cat": "Node", "name": f"{kind}_kernel_time", "ts": i, "dur": 1, "args": {"op_name": kind, "provider": who}}
        for i, (kind, who) in enumerate([("Conv", "CUDA"), ("Shape", "CPU"), ("Conv", "CUDA")])
    ]

    assert kernel_counts([run, *kernels], "CUDA") == {"Conv": 2, "Shape (CPU)": 1}
    assert kernel_counts([run, *kernels]) == {"Conv": 2, "Shape": 1}


def test_a_provider_that_is_not_there_is_an_error_of_the_place(tmp_path: Path) -> None:
    """With the package that has it; ONNX Runtime itself would go on with the CPU."""
    path = saved(tmp_path, graph("float[2] x => float[2] y { y = Relu(x) }"))
    for opening in (onnxruntime.open_session, lambda p, runtime: onnxruntime.open_timed(p, runtime, 1)):
        with pytest.raises(ToolchainError, match="no CUDAExecutionProvider here") as caught:
            opening(path, {"providers": ["CUDAExecutionProvider"]})
        assert "install onnxruntime-gpu" in caught.value.hint


def test_a_provider_that_does_not_start_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime lists what it was built with, and falls back when the libraries are missing; TF32 is off."""
    import onnxruntime as ort

    asked = []

    class Fallen:
        def __init__(self, *words: object, providers: object) -> None:
            asked.append(providers)

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "preload_dlls", lambda **words: None, raising=False)
    monkeypatch.setattr(ort, "InferenceSession", Fallen)
    path = saved(tmp_path, graph("float[2] x => float[2] y { y = Relu(x) }"))

    with pytest.raises(ToolchainError, match="did not start: ONNX Runtime would go on with CPUExecutionProvider"):
        onnxruntime.open_session(path, {"providers": ["CUDAExecutionProvider"], "tf32": False})
    assert asked == [[("CUDAExecutionProvider", {"use_tf32": "0"})]]


def test_runs_of_an_engine_that_differ_have_no_profile() -> None:
    """A branch taken once: there is no time of its layers in every run."""
    with pytest.raises(ModelError, match="differ in their layers"):
        from_layer_runs([[("a", 1.0)], [("b", 1.0)]], {})


def test_what_the_runtime_cannot_run_is_an_error_of_the_model(tmp_path: Path) -> None:
    """One line, for the page."""
    path = saved(tmp_path, graph("bfloat16[1,1,4,4] x => bfloat16[1,1,4,4] y { y = Conv(x, w) }",
                                 w=np.zeros((1, 1, 1, 1), onnx.helper.tensor_dtype_to_np_dtype(16))))  # fmt: skip
    with pytest.raises(ModelError, match="cannot load it") as caught:
        onnxruntime.open_timed(path, RUNTIME, 1)
    assert "\n" not in str(caught.value)


def test_float16_says_that_it_is_not_computed_in_float16(tmp_path: Path) -> None:
    """The runtime widens it; the number is not that of half precision."""
    path = saved(tmp_path, graph("float16[2] x => float16[2] y { y = Relu(x) }"))

    assert onnxruntime.open_timed(path, RUNTIME, 1).about["note"] == "float16 computed in float32 with casts"


def test_labels_reach_into_bodies() -> None:
    """Every node of every subgraph has a label of its own, and its name is kept."""
    model = graph("bool c => float[1] y { y = If(c) <then_branch = g () => (float[1] t) { t = Constant<value_floats=[1.0]>() }, else_branch = h () => (float[1] e) { e = Constant<value_floats=[2.0]>() }> }")  # noqa: E501 # fmt: skip
    names = label_nodes(model)

    assert len(names) == 3
    assert model.graph.node[0].name == "trtbuild_node_0_"


def test_shares_of_the_sum_and_the_ratio_to_the_truth() -> None:
    """Means over the runs; cumulative over the sorted nodes; a node below the clock's resolution is counted."""
    page = summarise(
        Profile({"a": [1.0, 3.0], "b": [6.0, 6.0], "c": [0.002, 0.002]}, {"a": "X", "b": "Y", "c": "X"}), 4.0
    )

    assert [(n["name"], n["ms"]) for n in page["top"]] == [("b", 6.0), ("a", 2.0), ("c", 0.002)]
    assert page["sum_ms"] == 8.002
    assert page["ratio"] == pytest.approx(8.002 / 4)
    assert page["top"][-1]["cumulative"] == 1.0
    assert [(t["op_type"], t["nodes"]) for t in page["op_types"]] == [("Y", 1), ("X", 2)]
    assert page["coarse"] == 1
