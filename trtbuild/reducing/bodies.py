"""Fewer nodes inside loops and branches, which a reduction of top-level nodes leaves alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from trtbuild.graphs.graph import subgraphs
from trtbuild.reducing.dims import valid

if TYPE_CHECKING:
    import onnx


def simplify(model: onnx.ModelProto, shows: Callable[[onnx.ModelProto], bool], deadline: float) -> onnx.ModelProto:
    """The graph without those nodes of bodies that the fault does not need.

    A node's result is replaced by one of its inputs or by zeros; what is then unused is removed as well.
    """
    again = True
    while again:
        again = False
        for place in reversed(range(len(list(_inner(model.graph))))):
            for choice in _choices(model, place):
                if time.monotonic() > deadline:
                    return model
                candidate = _replaced(model, place, choice)
                if candidate is not None and shows(candidate):
                    model, again = candidate, True
                    break
            if again:
                break
    return model


def _inner(graph: onnx.GraphProto) -> Iterator[tuple[onnx.GraphProto, onnx.NodeProto]]:
    """Every node of every body, with its body; constants are left out."""
    for node in graph.node:
        for body in subgraphs(node):
            yield from ((body, inner) for inner in body.node if inner.op_type != "Constant")
            yield from _inner(body)


def _choices(model: onnx.ModelProto, place: int) -> list[str]:
    """Names that may replace the node's result; "" stands for zeros."""
    body, node = list(_inner(model.graph))[place]
    if len([name for name in node.output if name]) != 1:
        return []
    constants = {tensor.name for tensor in body.initializer}
    constants |= {name for other in body.node if other.op_type == "Constant" for name in other.output}
    return ["", *dict.fromkeys(name for name in node.input if name and name not in constants)]


def _replaced(model: onnx.ModelProto, place: int, choice: str) -> onnx.ModelProto | None:
    import onnx

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    body, node = list(_inner(copy.graph))[place]
    (result,) = [name for name in node.output if name]
    if choice:
        if any(value.name == result for value in body.output):
            made = onnx.helper.make_node("Identity", [choice], [result], name=node.name)
            if node.op_type == "Identity":
                return None
            node.CopyFrom(made)
        else:
            body.node.remove(node)
            _reread(body, result, choice)
    else:
        zeros = _zeros(model, result)
        if zeros is None:
            return None
        node.CopyFrom(onnx.helper.make_node("Constant", [], [result], name=node.name, value=zeros))
    _sweep(copy.graph)
    return valid(copy)


def _zeros(model: onnx.ModelProto, name: str) -> onnx.TensorProto | None:
    """Zeros of the inferred type and shape of a body's tensor; None if these are not known."""
    import numpy as np
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # a graph that defeats shape inference
        return None
    for body in _bodies(inferred.graph):
        for value in (*body.value_info, *body.output):
            kind = value.type.tensor_type
            if value.name == name and kind.elem_type and kind.HasField("shape"):
                if not all(d.HasField("dim_value") for d in kind.shape.dim):
                    return None
                dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
                return onnx.numpy_helper.from_array(np.zeros([d.dim_value for d in kind.shape.dim], dtype))
    return None


def _bodies(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    for node in graph.node:
        for body in subgraphs(node):
            yield body
            yield from _bodies(body)


def _reread(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        for body in subgraphs(node):
            _reread(body, old, new)
            for value in body.output:
                value.name = new if value.name == old else value.name


def _sweep(graph: onnx.GraphProto) -> None:
    """Remove what is unused: nodes and constants of bodies, inputs of the graph."""
    from trtbuild.graphs.graph import drop_unused_initialisers
    from trtbuild.graphs.reduction import reads

    for body in _bodies(graph):
        while True:
            used = {value.name for value in body.output} | {name for node in body.node for name in reads(node)}
            dead = [node for node in body.node if not used.intersection(node.output)]
            for node in dead:
                body.node.remove(node)
            if not dead:
                break
        for tensor in [t for t in body.initializer if t.name not in used]:
            body.initializer.remove(tensor)
    read = {name for node in graph.node for name in reads(node)}
    for value in [v for v in graph.input if v.name not in read]:
        graph.input.remove(value)
    drop_unused_initialisers(graph)
