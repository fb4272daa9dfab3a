"""All the nodes TensorRT refuses, not just the first.

The parser checks every node, but then stops at the first one it cannot import; the builder names one or none.  So
refused nodes are cut out (their results become inputs) and the rest is parsed on; when parsing succeeds and building
does not, every node is built alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import EngineError
from trtbuild.core.complaint import Complaint
from trtbuild.graphs.graph import subgraphs
from trtbuild.trt import api
from trtbuild.trt.api import BuildOptions

if TYPE_CHECKING:
    from types import ModuleType

    import onnx

    from trtbuild.trt.trtlog import Log

Shapes = Mapping[str, Sequence[int]]  # of the inputs, all of them concrete
TIME_LIMIT_S = 60.0
ROUNDS = 64


def find_all(
    trt: ModuleType, log: Log, model: onnx.ModelProto, shapes: Shapes, first: list[Complaint], path: Path | None = None
) -> list[Complaint]:
    """Every refused node of ``model`` (onnx.ModelProto), ``first`` being what a whole parse said.

    Args:
        shapes: input -> concrete shape, to give the pieces static shapes.
        path: the model's file, beside which its external data lies.
    """
    deadline = time.monotonic() + TIME_LIMIT_S
    model = _static(model, shapes)
    found = {c.node: c for c in first}
    complaints = first
    for _ in range(ROUNDS):
        if not complaints or time.monotonic() > deadline:
            break
        refused = {owner for c in complaints if (owner := _owner(model.graph, c.node))}
        if not refused or not _cut(model, refused):
            break
        complaints = [c for c in api.parse(trt, log, model.SerializeToString(), path).complaints if c.node not in found]
        found |= {c.node: c for c in complaints}
    return list(found.values())


def build_alone(
    trt: ModuleType, log: Log, model: onnx.ModelProto, shapes: Shapes, options: BuildOptions, path: Path | None = None
) -> list[Complaint]:
    """Nodes that parse but cannot be compiled, each built as a model of its own."""
    deadline = time.monotonic() + TIME_LIMIT_S
    model = _static(model, shapes)
    values = _values(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if time.monotonic() > deadline:
            break
        alone = _alone(node, model, values, constants)
        if alone is None:
            continue
        parsed = api.parse(trt, log, alone.SerializeToString(), path)
        if parsed.complaints:
            continue  # alone it lacks its context; the whole graph has parsed
        try:
            api.build(parsed, trt, log, {**options, "profiles": {}})
        except EngineError as error:
            found.append(Complaint(node.name, node.op_type, "build", error.what))
    return found


def _static(model: onnx.ModelProto, shapes: Shapes) -> onnx.ModelProto:
    import onnx

    copy: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    for value in copy.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    try:
        return onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:  # a graph that defeats shape inference is searched as far as its declared shapes go
        return copy


def _values(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    graph = model.graph
    return {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}


def _owner(graph: onnx.GraphProto, name: str) -> str:
    """The top-level node that is, or contains, the node of that name."""

    def contains(node: onnx.NodeProto) -> bool:
        return node.name == name or any(contains(inner) for body in subgraphs(node) for inner in body.node)

    return next((node.name for node in graph.node if contains(node)), "") if name else ""


def _cut(model: onnx.ModelProto, refused: set[str]) -> bool:
    """Remove nodes and make their results inputs; False when a result's type or shape is unknown."""
    import onnx

    values, graph = _values(model), model.graph
    kept, opened = [], []
    for node in graph.node:
        if node.name in refused:
            opened += [name for name in node.output if name]
        else:
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
    used = {name for node in kept for name in node.input}
    outputs = {value.name for value in graph.output}
    for name in opened:
        value = values.get(name)
        if name in outputs and len(graph.output) > 1:
            rest = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in graph.output if v.name != name]
            del graph.output[:]
            graph.output.extend(rest)
        elif name in outputs:
            return False
        if name in used:
            if value is None or not _concrete(value):
                return False
            graph.input.append(value)
    del graph.node[:]
    graph.node.extend(kept)
    return bool(kept)


def _concrete(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.tensor_type
    return bool(kind.elem_type) and kind.HasField("shape") and all(d.dim_value > 0 for d in kind.shape.dim)


def _alone(
    node: onnx.NodeProto,
    model: onnx.ModelProto,
    values: Mapping[str, onnx.ValueInfoProto],
    constants: Mapping[str, onnx.TensorProto],
) -> onnx.ModelProto | None:
    """One node as a model; None when its inputs are not concrete, or are shapes (which need their producers)."""
    import onnx

    inputs, initialisers = [], []
    for name in dict.fromkeys(n for n in node.input if n):
        if name in constants:
            initialisers.append(constants[name])
            continue
        value = values.get(name)
        if value is None or not _concrete(value) or value.type.tensor_type.elem_type == onnx.TensorProto.INT64:
            return None
        inputs.append(value)
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    outputs = [values.get(value.name, value) for value in outputs]
    graph = onnx.helper.make_graph([node], "alone", inputs, outputs, initialisers)
    return onnx.helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
