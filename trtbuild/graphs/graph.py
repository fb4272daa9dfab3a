"""What several lowerings need to know about an ONNX graph: types, constants, producers, shape arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

SMALL_BYTES = 1 << 16  # what a shape, axes or pads may take; larger constants are weights


def all_nodes(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    """Nodes of a graph and of every subgraph in it."""
    for node in graph.node:
        yield from with_bodies(node)


def with_bodies(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """A node and those of every body in it."""
    yield node
    for body in subgraphs(node):
        yield from all_nodes(body)


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and every subgraph in it, outer first, in node order."""
    yield graph
    for node in graph.node:
        for body in subgraphs(node):
            yield from all_graphs(body)


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operations that a model uses; 0 where it does not say."""
    return next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type (onnx.TensorProto.DataType) of every tensor that shape inference reaches, subgraphs included."""
    types: dict[str, int] = {}

    def collect(graph: onnx.GraphProto) -> None:
        for value in (*graph.input, *graph.value_info, *graph.output):
            if value.type.HasField("tensor_type"):
                types[value.name] = value.type.tensor_type.elem_type
        for tensor in graph.initializer:
            types[tensor.name] = tensor.data_type
        for node in graph.node:
            for inner in subgraphs(node):
                collect(inner)

    collect(inferred(model))
    types.update({tensor.name: tensor.data_type for tensor in model.graph.initializer})
    return types


def inferred(model: onnx.ModelProto) -> onnx.GraphProto:
    """The graph of a model (a copy) with the types and shapes that inference finds; large initialisers are inputs.

    Inference serialises the whole model, twice: of a large constant it needs the type and shape alone.
    """
    import onnx

    graph, bare = model.graph, onnx.ModelProto(ir_version=model.ir_version)
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    for field in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(bare.graph, field).extend(getattr(graph, field))
    named = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if len(tensor.raw_data) <= SMALL_BYTES:
            bare.graph.initializer.append(tensor)
        elif tensor.name not in named:
            bare.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return onnx.shape_inference.infer_shapes(bare).graph


def open_dims(model: onnx.ModelProto) -> None:
    """Dimensions below 1 are unknown: exporters write -1 and 0 for them."""
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim if value.type.HasField("tensor_type") else ():
            if dim.HasField("dim_value") and dim.dim_value < 1:
                dim.ClearField("dim_value")


def input_dims(model: onnx.ModelProto) -> dict[str, list[int | None] | None]:
    """Input -> its shape, None where a dimension, or the rank, is not known; weights that are inputs are left out."""
    constants = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, list[int | None] | None] = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name not in constants and value.type.HasField("tensor_type"):
            dims = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
            found[value.name] = dims if kind.HasField("shape") else None
    return found


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Bodies of a Loop, If or Scan."""
    found = []
    for attribute in node.attribute:
        found += [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
    return found


def hoist_constants(graph: onnx.GraphProto) -> None:
    """Top-level Constant nodes become initialisers, so that a lowering sees one kind of constant."""
    import onnx

    kept = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        else:
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(kept)


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output if name}


def shape_arithmetic(graph: onnx.GraphProto) -> set[str]:
    """Tensors computed from shapes and constants alone.

    They stay in full precision: float16 cannot hold a dimension above 2048 exactly.
    """
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    found = set(constants)
    for node in graph.node:
        inputs = [name for name in node.input if name]
        derived = bool(inputs) and all(name in found for name in inputs) and not subgraphs(node)
        if derived or node.op_type in ("Shape", "Size"):
            found.update(name for name in node.output if name)
    return found - constants


def drop_unused_initialisers(graph: onnx.GraphProto) -> None:
    """Remove initialisers that no node, body or output of the graph reads."""
    used = {value.name for value in graph.output}

    def collect(inner: onnx.GraphProto) -> None:
        for node in inner.node:
            used.update(node.input)
            for body in subgraphs(node):
                used.update(value.name for value in body.output)
                collect(body)

    collect(graph)
    kept = [type(t).FromString(t.SerializeToString()) for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
