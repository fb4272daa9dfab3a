"""Tests of layer inspection: what is compared, in which modes, and within which budget."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.support.graphs import node
from tests.support.inspection import FEEDS, TENSORS, blamed, inspected, int8, net
from trtbuild.layers.inspection import inspect


def test_every_tensor_is_compared_and_proved(tmp_path: Path) -> None:
    """NHWC values fit NCHW tensors although the scope map has no layouts."""
    found = inspected(tmp_path)

    assert [layer["name"] for layer in found["layers"]] == TENSORS
    assert {layer["proof"] for layer in found["layers"]} == {"value"}
    assert blamed(found, "export") == blamed(found, "total") == []
    assert (
        found["layers"][0]["cumulative"]["export"]["nrmse"] < 1e-6 < found["layers"][0]["cumulative"]["total"]["nrmse"]
    )


def test_a_layer_has_the_dtype_that_it_was_promised(tmp_path: Path) -> None:
    """Layers without a promise have their result's dtype."""
    found = inspected(tmp_path)

    assert {layer["name"]: layer["dtype"] for layer in found["layers"]}["c1"] == "int8"
    assert found["layers"][-1]["dtype"] == "float32"


@pytest.mark.parametrize("max_bytes", [1, 20_000])
def test_a_small_budget_gives_the_same_numbers(tmp_path: Path, max_bytes: int) -> None:
    """In more runs, and equal up to rounding, since taps decide what is fused."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, parts = inspected(tmp_path / "a"), inspected(tmp_path / "b", max_bytes=max_bytes)

    for one, other in zip(whole["layers"], parts["layers"], strict=True):
        assert one["cumulative"]["total"]["nrmse"] == pytest.approx(other["cumulative"]["total"]["nrmse"], rel=1e-2)
        assert one["local"]["total"]["nrmse"] == pytest.approx(other["local"]["total"]["nrmse"], rel=1e-2, abs=1e-7)


def test_one_scope_or_type_is_converted_by_itself(tmp_path: Path) -> None:
    """A graph for each tensor; the runtime may fuse everything before it."""
    found = inspected(tmp_path, mode="per_op", op="Conv")

    assert [layer["name"] for layer in found["layers"]] == ["c0", "c1", "c2", "c3"]
    assert found["layers"][2]["parents"] == ["r1"]
    assert all(layer["local"]["export"]["nrmse"] < 1e-6 for layer in found["layers"])


def test_fusion_preserving_taps_leave_fused_tensors_alone(tmp_path: Path) -> None:
    """A convolution and its activation are one kernel, and the tensor between them does not exist."""
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
