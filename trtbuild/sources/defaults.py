"""Defaults of placeholders, and the branches that they choose, become part of a frozen GraphDef."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trtbuild.sources.inlining import inline_functions


def take(graph_def: Any, keep: Sequence[str]) -> Any:
    """Both; ``keep`` are tensors to be found afterwards."""
    _take_defaults(graph_def)
    return _take_branches(graph_def, keep)


def constants(graph_def: Any, tensors: Collection[str]) -> list[str]:
    """Those of the tensors that are constants, and not computed."""
    nodes = {node.name: node for node in graph_def.node}
    return [tensor for tensor in tensors if _constant(nodes, tensor) is not None]


def _take_defaults(graph_def: Any) -> None:
    """Placeholders with a default become that default: what is fed is a placeholder without one by now.

    tf2onnx makes inputs of them, and drops the network behind one whose default is not a constant.
    """
    for node in (*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)):
        if node.op == "PlaceholderWithDefault":
            node.op = "Identity"
            node.attr["T"].CopyFrom(node.attr.pop("dtype"))
            node.attr.pop("shape")


def _take_branches(graph_def: Any, keep: Sequence[str]) -> Any:
    """A branch that a constant chooses (a default that says whether this is training) takes the place of its If."""
    import tensorflow as tf

    chosen = {}
    nodes = {node.name: node for node in graph_def.node}
    for node in graph_def.node:
        if node.op in ("If", "StatelessIf") and (constant := _constant(nodes, node.input[0])) is not None:
            value = tf.make_ndarray(constant.attr["value"].tensor)
            if value.ndim == 0 and value.dtype.kind in "biuf":
                chosen[node.name] = "then_branch" if value else "else_branch"
    for node in graph_def.node:
        if node.name in chosen:
            node.op = "PartitionedCall" if node.op == "StatelessIf" else "StatefulPartitionedCall"
            node.attr["f"].CopyFrom(node.attr[chosen[node.name]])
            for name in set(node.attr) - {"f", "Tin", "Tout"}:
                node.attr.pop(name)
            del node.input[0]
    return _take_branches(inline_functions(graph_def, keep), keep) if chosen else graph_def


def _constant(nodes: Mapping[str, Any], tensor: str) -> Any:
    """The Const that a tensor comes from, or None."""
    node = nodes.get(tensor.partition(":")[0])
    while node is not None and node.op == "Identity":
        node = nodes.get(node.input[0].partition(":")[0])
    return node if node is not None and node.op == "Const" else None
