"""A frozen graph to ONNX as a build exports it; what has no ONNX form is cut out, so that the rest can be checked on.

Runs in the process that has TensorFlow loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtbuild.checker import weights
from trtbuild.checker.freezing import Frozen


@dataclass(frozen=True)
class Exported:
    """``model`` is an onnx.ModelProto, or None when nothing is left of it (``why``).

    ``nodes``: ONNX node -> {op, type, name, scope} of its TensorFlow operation; ``ops``: TensorFlow operation -> its
    type; ``unknown``: operations without an ONNX form.  ``static``: its inputs have fixed shapes now.
    """

    model: Any
    nodes: Mapping[str, Mapping[str, str]]
    ops: Mapping[str, str]
    unknown: Sequence[Any] = ()
    static: bool = False
    why: str = ""
    extra: Mapping[str, Sequence[int]] = field(default_factory=dict)


def export(frozen: Frozen, opset: int, shapes: Mapping[str, Sequence[int]], folder: Path) -> Exported:
    """Convert; ``shapes`` (input -> concrete shape) hold where something has to be cut out.

    Raises:
        ExportError: the exporter failed altogether.
    """
    from trtbuild.kit import canonical, scopes, tfonnx

    named = {tensor: f"weight/{tensor.rpartition(':')[0]}" for tensor in frozen.weights}
    found = tfonnx.convert_graph(frozen.graph_def, {**frozen.inputs, **named}, frozen.outputs, opset)
    kinds = {name: op.kind for name, op in found.ops.items()}
    model, cut = found.model, None
    if found.unknown:
        cut = cut_out(model, {node.name for node in found.unknown}, _static_tensors(frozen, shapes), shapes)
        if cut is None:
            why = "what is left beside them cannot be checked by itself"
            return Exported(None, {}, kinds, found.unknown, why=why)
        if opset > tfonnx.TF2ONNX_LAST_OPSET:
            model = tfonnx.raise_opset(model, opset)
    present = {value.name for value in model.graph.input}
    held = {name: frozen.weights[tensor].shape for tensor, name in named.items() if name in present}
    weights.settle(model, held, folder)
    canonical.canonicalise(model, set(found.ops))
    clean = {name: tensor for tensor, name in (frozen.inputs | frozen.outputs).items()}
    mapped = scopes.scope_map(model, found.ops, clean)
    return Exported(model, mapped["nodes"], kinds, found.unknown, cut is not None, extra=cut or {})


def _static_tensors(frozen: Frozen, shapes: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, tuple[int, ...]]]:
    """dtype (ONNX) and shape of every tensor that is known where the inputs have their concrete shapes."""
    import tensorflow as tf
    from tf2onnx import tf_utils

    graph_def = tf.compat.v1.GraphDef()
    graph_def.CopyFrom(frozen.graph_def)
    wanted = {tensor.rpartition(":")[0]: shapes[name] for tensor, name in frozen.inputs.items() if name in shapes}
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)
        if node.name in wanted:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(wanted[node.name]).as_proto())
    found = {}
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        for op in graph.get_operations():
            for tensor in op.outputs:
                if tensor.shape.is_fully_defined():
                    try:
                        kind = int(tf_utils.map_tf_dtype(tensor.dtype))
                    except KeyError:  # a resource or a variant: nothing that ONNX knows
                        continue
                    found[tensor.name] = (kind, tuple(tensor.shape.as_list()))
    return found


def cut_out(
    model: Any, names: set[str], known: Mapping[str, tuple[int, tuple[int, ...]]], shapes: Mapping[str, Sequence[int]]
) -> dict[str, list[int]] | None:
    """Remove top-level nodes (those whose bodies hold a named one, too), in place.

    Their results become inputs, what they read becomes outputs.  Returns the new inputs' shapes; None when one of them
    is not known, or nothing is left.
    """
    import onnx

    from trtbuild.kit.tfonnx import all_nodes

    graph = model.graph

    def holds(node: Any) -> bool:
        bodies = [a.g for a in node.attribute if a.HasField("g")]
        return node.name in names or any(inner.name in names for body in bodies for inner in all_nodes(body))

    gone = [node for node in graph.node if holds(node)]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node if not holds(node)]
    opened = {name for node in gone for name in node.output if name}
    read = {name for node in gone for name in node.input if name}
    used = {name for node in _all(kept) for name in node.input}
    constants = {tensor.name for tensor in graph.initializer}
    made = {name for node in kept for name in node.output}
    entries = {value.name: value for value in graph.output}
    inputs = {}
    for name in sorted(opened & used):
        if name not in known:
            return None
        inputs[name] = known[name]
    outputs = [v for v in graph.output if v.name not in opened]
    for name in sorted((read - opened - constants) & made - entries.keys()):
        value = _info(name, known)
        if value is not None:
            outputs.append(value)
    live = _live(kept, {value.name for value in outputs})
    if not any(node.op_type not in ("Constant", "Identity") for node in live):
        return None
    outputs = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in outputs]
    del graph.output[:]
    graph.output.extend(outputs)
    for value in graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    graph.input.extend(v for name in inputs if (v := _info(name, known)) is not None)
    del graph.node[:]
    graph.node.extend(live)
    needed = {name for node in _all(live) for name in node.input} | {value.name for value in outputs}
    rest = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in graph.input if v.name in needed]
    del graph.input[:]
    graph.input.extend(rest)
    tensors = [onnx.TensorProto.FromString(t.SerializeToString()) for t in graph.initializer if t.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    del graph.value_info[:]
    return {name: list(shape) for name, (_, shape) in inputs.items()}


def _all(nodes: Sequence[Any]) -> list[Any]:
    from trtbuild.kit.graph import subgraphs
    from trtbuild.kit.tfonnx import all_nodes

    return [*nodes, *(inner for node in nodes for body in subgraphs(node) for inner in all_nodes(body))]


def _live(nodes: Sequence[Any], wanted: set[str]) -> list[Any]:
    """The nodes that the wanted tensors need, in order."""
    wanted, kept = set(wanted), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted |= {name for inner in _all([node]) for name in inner.input}
    return kept[::-1]


def _info(name: str, known: Mapping[str, tuple[int, tuple[int, ...]]]) -> Any:
    import onnx

    if name not in known:
        return onnx.helper.make_empty_tensor_value_info(name)
    return onnx.helper.make_tensor_value_info(name, *known[name])
