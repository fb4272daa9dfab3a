"""The smallest set of an ONNX graph's nodes that still shows a fault, found by asking; pure.

Zeller's ddmin over the top-level nodes: discard ever smaller parts as long as the fault stays.  Tensors at the cut
become inputs and outputs, so their types and shapes have to be known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.graphs.graph import drop_unused_initialisers, subgraphs

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Reduction:
    """``model`` shows the fault; ``minimal``: none of its nodes can be left out; ``asked``: questions that it took."""

    model: onnx.ModelProto
    minimal: bool
    asked: int


def reduce(model: onnx.ModelProto, fails: Callable[[onnx.ModelProto], bool], *, limit_s: float) -> Reduction:
    """Shrink ``model``, which fails, as far as it goes within ``limit_s`` seconds.

    Args:
        model: static shapes; every top-level node has a name of its own.
        fails: whether a model shows the fault; asked once for each set of nodes.
    """
    deadline = time.monotonic() + limit_s
    values, order = tensor_values(model), [node.name for node in model.graph.node]
    tried: dict[frozenset[str], bool] = {}

    def shows(names: Collection[str]) -> bool:
        key = frozenset(names)
        if key not in tried:
            piece = extract(model, key, values)
            tried[key] = piece is not None and fails(piece)
        return tried[key]

    left, parts = order, 2
    while len(left) > 1 and time.monotonic() < deadline:
        smaller = _shrink(left, parts, shows, deadline)
        if smaller is not None:
            parts = 2 if len(smaller) <= len(left) // parts + 1 else max(parts - 1, 2)
            left = smaller
        elif parts >= len(left):
            break
        else:
            parts = min(2 * parts, len(left))
    piece = model if len(left) == len(order) else extract(model, frozenset(left), values)
    assert piece is not None  # the whole, or what was asked about
    return Reduction(piece, time.monotonic() < deadline, len(tried))


def _shrink(
    left: Sequence[str], parts: int, shows: Callable[[Collection[str]], bool], deadline: float
) -> list[str] | None:
    """A part of ``left`` that shows the fault, or else all but a part."""
    size = -(-len(left) // parts)
    chunks = [list(left[i : i + size]) for i in range(0, len(left), size)]
    for chunk in chunks:
        if time.monotonic() > deadline:
            return None
        if len(chunk) < len(left) and shows(chunk):
            return chunk
    for i in range(len(chunks)) if len(chunks) > 2 else ():
        rest = [name for j, chunk in enumerate(chunks) if j != i for name in chunk]
        if time.monotonic() > deadline:
            return None
        if shows(rest):
            return rest
    return None


def extract(
    model: onnx.ModelProto, names: Collection[str], values: Mapping[str, onnx.ValueInfoProto] | None = None
) -> onnx.ModelProto | None:
    """The top-level nodes of these names as a model; None where a tensor at the cut has no known type and shape."""
    import onnx

    values = tensor_values(model) if values is None else values
    graph = model.graph
    nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in graph.node if n.name in names]
    made = {name for node in nodes for name in node.output if name}
    constants = {tensor.name for tensor in graph.initializer}
    read = list(dict.fromkeys(name for node in nodes for name in reads(node)))
    inputs = [name for name in read if name not in made and name not in constants]
    if any(name not in values for name in inputs):
        return None
    wanted = {value.name for value in graph.output}
    outputs = [name for node in nodes for name in node.output if name and (name in wanted or name not in read)]
    if not outputs:
        return None
    ends = [values.get(name, onnx.helper.make_empty_tensor_value_info(name)) for name in outputs]
    weights = [tensor for tensor in graph.initializer if tensor.name in read]
    piece = onnx.helper.make_graph(nodes, "piece", [values[name] for name in inputs], ends, weights)
    made_model = onnx.helper.make_model(piece, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    drop_unused_initialisers(made_model.graph)
    return made_model


def reads(node: onnx.NodeProto) -> list[str]:
    """What a node reads from outside: its inputs and what its bodies capture."""
    found = [name for name in node.input if name]
    for body in subgraphs(node):
        own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
        own |= {name for inner in body.node for name in inner.output}
        found += [name for inner in body.node for name in reads(inner) if name not in own]
        found += [value.name for value in body.output if value.name not in own]
    return found


def tensor_values(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Type and static shape (ValueInfoProto) of every tensor of the top level for which shape inference knows both."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # a graph that defeats shape inference: its declared tensors are all there is
        graph = model.graph
    found = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        kind = value.type.tensor_type
        if kind.elem_type and kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
            found[value.name] = value
    return found
