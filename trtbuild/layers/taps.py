"""Looking inside an ONNX graph: tensors as extra outputs, and a graph cut into layers that are fed from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from trtbuild.graphs.graph import drop_unused_initialisers, element_types, subgraphs

if TYPE_CHECKING:
    import onnx

LOCAL = "//local"  # suffix of a cut tensor's own result; its consumers are fed the plain name
FED = "//fed"  # suffix of a graph input whose values are rounded before its consumers read them


def activations(model: onnx.ModelProto) -> list[str]:
    """Names of all floating-point results of top-level nodes that depend on an input, in graph order.

    Results inside the bodies of loops and branches cannot be tapped and are not in the list.
    """
    import onnx

    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}  # no engine has float64
    types = element_types(model)
    live = {value.name for value in model.graph.input} - {tensor.name for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if any(name in live for name in reads(node)):
            live.update(name for name in node.output if name)
            found += [name for name in node.output if types.get(name) in floats]
    return found


def reads(node: onnx.NodeProto) -> list[str]:
    """Tensors that a node reads, including those that its bodies capture."""
    found = [name for name in node.input if name]
    for body in subgraphs(node):
        made = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
        for inner in body.node:
            found += [name for name in reads(inner) if name not in made]
            made.update(inner.output)
        found += [value.name for value in body.output if value.name not in made]
    return found


def parents(model: onnx.ModelProto, watched: Collection[str]) -> dict[str, tuple[str, ...]]:
    """For each watched tensor, the nearest watched tensors and graph inputs that it is computed from."""
    sources: dict[str, frozenset[str]] = {value.name: frozenset([value.name]) for value in model.graph.input}
    for tensor in model.graph.initializer:
        sources[tensor.name] = frozenset()
    found = {}
    for node in model.graph.node:
        merged: frozenset[str] = frozenset().union(*(sources.get(name, frozenset()) for name in reads(node)))
        for name in node.output:
            sources[name] = merged
            if name in watched:
                found[name] = tuple(sorted(merged))
                sources[name] = frozenset([name])
    return found


def segments(model: onnx.ModelProto, watched: Collection[str]) -> dict[str, frozenset[str]]:
    """For each watched tensor, the names of the nodes between it and the nearest watched tensors before it."""
    since: dict[str, frozenset[str]] = {}
    found = {}
    for node in model.graph.node:
        nodes: frozenset[str] = frozenset([node.name]).union(*(since.get(name, frozenset()) for name in reads(node)))
        for name in node.output:
            since[name] = nodes
            if name in watched:
                found[name] = nodes
                since[name] = frozenset()
    return found


def with_outputs(model: onnx.ModelProto, names: Iterable[str], *, only: bool = False) -> onnx.ModelProto:
    """A copy of ``model`` that also outputs ``names`` (with ``only``: nothing else, and no more nodes than needed)."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    have = [] if only else [value.name for value in copy.graph.output]
    if only:
        del copy.graph.output[:]
    new = [name for name in dict.fromkeys(names) if name not in have]
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in new)
    if only:
        prune(copy)
    return copy


def prune(model: onnx.ModelProto) -> None:
    """Drop nodes, inputs and initialisers that no output needs."""
    import onnx

    wanted = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            wanted.update(reads(node))
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
    inputs = [v for v in model.graph.input if v.name in wanted]
    inputs = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in inputs]
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend(reversed(kept))
    model.graph.input.extend(inputs)
    drop_unused_initialisers(model.graph)


def cut(
    model: onnx.ModelProto, at: Collection[str], wanted: Iterable[str], rounded: Mapping[str, int]
) -> onnx.ModelProto:
    """The graph cut at every tensor of ``at``: consumers read a new graph input, ``NAME//local`` is the result.

    Feeding the reference's values gives each layer's own error.

    Args:
        model: computes in float32 (an emulated graph for low precisions); it is not changed.
        wanted: tensors that become outputs; for those in ``at``, their local results.
        rounded: tensors that hold values of a low precision -> onnx.TensorProto type, to which feeds are rounded.
    """
    import onnx

    full = onnx.TensorProto.FLOAT
    copy, at = onnx.ModelProto(), set(at)
    copy.CopyFrom(model)
    nodes, inputs = [], []
    made = {name for node in copy.graph.node for name in node.output}
    for name in sorted(at & made):
        inputs.append(onnx.helper.make_tensor_value_info(name, full, None))
        if name in rounded:
            inputs[-1].name = f"{name}{FED}"
            nodes.append(onnx.helper.make_node("Cast", [f"{name}{FED}"], [f"{name}//low"], to=rounded[name]))
            nodes.append(onnx.helper.make_node("Cast", [f"{name}//low"], [name], to=full))
    for node in copy.graph.node:
        node.output[:] = [f"{name}{LOCAL}" if name in at else name for name in node.output]
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del copy.graph.node[:], copy.graph.output[:], copy.graph.value_info[:]
    copy.graph.node.extend(nodes)
    copy.graph.input.extend(inputs)
    results = (f"{name}{LOCAL}" if name in at else name for name in wanted)
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in results)
    prune(copy)
    return copy
