"""Real exports of every demonstration model: recorded outputs are what the graph states, in every precision and hop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, run
from trtbuild.arrays.samples import rows_per_call
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.building.run import build_planned
from trtbuild.core.plan import Plan, post_order
from trtbuild.core.spec.data import BATCH
from trtbuild.core.step import Step
from trtbuild.workers.status import SilentStatus

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
LOW = {onnx.TensorProto.FLOAT16: np.float16, onnx.TensorProto.BFLOAT16: ml_dtypes.bfloat16}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arithmetic") / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "pull", "-q", "models.dvc"], cwd=folder, check=True)
    return folder


def inferred(clone: Path, model: str) -> Iterator[Step]:
    """The ``infer`` steps of all precisions, run with what they need and nothing else."""
    words = [f"model={model}", "precision=fp32,tf32,fp16,bf16,int8"]
    planned = plan_overrides(find_workspace(clone), words, sweep=True)
    kept = {
        name: {role: step for role, step in roles.items() if role.startswith("infer")}
        for name, roles in planned.plan.variants.items()
    }
    steps = post_order(step for roles in kept.values() for step in roles.values())
    outcome = build_planned(replace(planned, plan=Plan(steps, kept, planned.plan.specs)), status=SilentStatus())
    assert not outcome.failures
    return (step for step in steps if step.kind == "infer")


def node_by_node(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every node alone, in float32; each result of a low precision is rounded to it."""
    typed = onnx.shape_inference.infer_shapes(model).graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*typed.value_info, *typed.input, *typed.output)}
    constants = {t.name: _wide(onnx.numpy_helper.to_array(t)) for t in model.graph.initializer}
    values: dict[str, Array] = dict(feeds)
    for node in model.graph.node:
        names = [name for name in dict.fromkeys(node.input) if name]
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i in LOW:
                attribute.i = onnx.TensorProto.FLOAT
            if attribute.HasField("t"):
                attribute.t.CopyFrom(onnx.numpy_helper.from_array(_wide(onnx.numpy_helper.to_array(attribute.t))))
        given = {name: values[name] for name in names if name in values}
        alone = onnx.helper.make_graph(
            [node], "node",
            [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for n, v in given.items()],
            [onnx.helper.make_empty_tensor_value_info(name) for name in node.output],
            [onnx.numpy_helper.from_array(constants[name], name) for name in names if name not in values],
        )  # fmt: skip
        made = run(onnx.helper.make_model(alone, opset_imports=model.opset_import, ir_version=8), **given)
        with np.errstate(over="ignore"):
            values |= {
                name: _wide(value.astype(LOW[types[name]])) if types.get(name) in LOW else value
                for name, value in made.items()
            }
    return {value.name: values[value.name] for value in model.graph.output}


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype in LOW.values() else array


@pytest.mark.parametrize("model", ["lenet", "segnet", "mobilenet_v2", "inception_v3"])
def test_recorded_outputs_are_what_the_graph_states(clone: Path, model: str) -> None:
    """Exported and lowered graph of all five precisions, over the first call's samples of the validation set."""
    differing: dict[str, Any] = {}
    for step in inferred(clone, model):
        graph = onnx.load(clone / step.inputs["model"].path)
        inputs = step.params["inputs"]
        rows = min(rows_per_call(inputs, BATCH).values())
        with np.load(clone / step.inputs["data"].path) as samples:
            feeds = {name: samples[name][:rows].astype(spec["dtype"]) for name, spec in inputs.items()}
        lowered = any(t.data_type in LOW for t in graph.graph.initializer)
        wanted = node_by_node(graph, feeds) if lowered else run(graph, **feeds)
        with np.load(clone / step.folder / "outputs.npz") as recorded:
            for name, value in wanted.items():
                off = np.abs(recorded[name][:rows] - value).max()
                if off > 1e-6 * np.abs(value).max():
                    differing[f"{step.label} {name}"] = float(off)

    assert not differing
