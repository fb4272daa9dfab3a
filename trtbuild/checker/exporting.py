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
    """Remove top-level nodes (those whose bodies hold a named one, too), in place, and make the inputs' shapes fixed.

    Their results become inputs, what they read becomes outputs.  Returns the new inputs' shapes; None when one of them
    is not known, or nothing is left.
    """
    graph = model.graph
    gone = [node for node in graph.node if _holds(node, names)]
    opened = {name for node in gone for name in node.output if name}
    read = {name for node in gone for name in _reads([node])}
    kept = _copies([node for node in graph.node if not _holds(node, names)])
    inputs = sorted(opened & _reads(kept))
    if any(name not in known for name in inputs):
        return None
    for value in graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    graph.input.extend(_info(name, *known[name]) for name in inputs)
    made = {name for node in kept for name in node.output if name}
    outputs = [v.name for v in graph.output if v.name not in opened]
    outputs += sorted((read & made) - set(outputs))
    _replace(graph.node, kept)
    del graph.value_info[:]
    typed = {name: _info(name, *found) for name, found in _inferred(model).items()}
    ends = [typed[name] for name in outputs if name in typed]
    live = _live(kept, {value.name for value in ends})
    if not any(node.op_type not in ("Constant", "Identity") for node in live):
        return None
    needed = _reads(live) | {value.name for value in ends}
    _replace(graph.output, ends)
    _replace(graph.node, live)
    _replace(graph.input, _copies([value for value in graph.input if value.name in needed]))
    _replace(graph.initializer, _copies([tensor for tensor in graph.initializer if tensor.name in needed]))
    return {name: list(known[name][1]) for name in inputs if name in needed}


def _holds(node: Any, names: set[str]) -> bool:
    return any(inner.name in names for inner in _all([node]))


def _all(nodes: Sequence[Any]) -> list[Any]:
    """The nodes, and those of every body in them."""
    from trtbuild.kit.graph import subgraphs
    from trtbuild.kit.tfonnx import all_nodes

    return [*nodes, *(inner for node in nodes for body in subgraphs(node) for inner in all_nodes(body))]


def _reads(nodes: Sequence[Any]) -> set[str]:
    return {name for node in _all(nodes) for name in node.input if name} | _body_outputs(nodes)


def _body_outputs(nodes: Sequence[Any]) -> set[str]:
    """A body may hand out a tensor from outside as it is."""
    from trtbuild.kit.graph import subgraphs

    return {value.name for node in _all(nodes) for body in subgraphs(node) for value in body.output}


def _live(nodes: Sequence[Any], wanted: set[str]) -> list[Any]:
    """The nodes that the wanted tensors need, in order."""
    wanted, kept = set(wanted), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted |= _reads([node])
    return kept[::-1]


def _inferred(model: Any) -> dict[str, tuple[int, tuple[int | None, ...]]]:
    """Element type and shape of every tensor of which shape inference knows the type."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for value in (*graph.output, *graph.input, *graph.value_info):
        kind = value.type.tensor_type
        if kind.elem_type and kind.HasField("shape"):
            dims = (d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
            found[value.name] = (kind.elem_type, tuple(dims))
    return found


def _info(name: str, kind: int, shape: Sequence[int | None]) -> Any:
    import onnx

    return onnx.helper.make_tensor_value_info(name, kind, shape)


def _copies(messages: Sequence[Any]) -> list[Any]:
    """Protobuf's repeated fields own what is in them; clearing one empties its messages."""
    return [type(message).FromString(message.SerializeToString()) for message in messages]


def _replace(field: Any, content: Sequence[Any]) -> None:
    del field[:]
    field.extend(content)
