"""Defaults of placeholders, and the branches and dropout that they decide, become part of a frozen GraphDef."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from trtbuild.sources.inlining import inline_functions

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef


def take(graph_def: GraphDef, keep: Sequence[str]) -> GraphDef:
    """Both; ``keep``: tensors that have to survive."""
    _take_defaults(graph_def)
    return _take_branches(graph_def, keep)


def constants(graph_def: GraphDef, tensors: Collection[str]) -> list[str]:
    """Those of the tensors that are constants."""
    nodes = {node.name: node for node in graph_def.node}
    return [tensor for tensor in tensors if _constant(nodes, tensor) is not None]


def _take_defaults(graph_def: GraphDef) -> None:
    """Placeholders with a default become that default: those that are fed have none by now.

    tf2onnx makes inputs of them, and drops the network behind one whose default is not a constant.
    """
    for node in (*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)):
        if node.op == "PlaceholderWithDefault":
            node.op = "Identity"
            node.attr["T"].CopyFrom(node.attr.pop("dtype"))
            node.attr.pop("shape")


def _take_branches(graph_def: GraphDef, keep: Sequence[str]) -> GraphDef:
    """A branch that a constant chooses (a default that says whether this is training) replaces its If."""
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


def _constant(nodes: Mapping[str, NodeDef], tensor: str) -> NodeDef | None:
    """The Const that a tensor comes from, or None."""
    node = nodes.get(tensor.partition(":")[0])
    while node is not None and node.op == "Identity":
        node = nodes.get(node.input[0].partition(":")[0])
    return node if node is not None and node.op == "Const" else None


def settle_dropout(graph_def: GraphDef, keep: Sequence[str]) -> GraphDef:
    """Without dropout that keeps everything, as a rate whose default was folded to a constant can make it.

    TensorFlow 1 compares random numbers from 0 to 1 with the rate 0, or rounds down their sum with 1.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph_def.node}

    def maker(tensor: str) -> NodeDef:
        return nodes[tensor.partition(":")[0]]

    def constant(tensor: str) -> float | None:
        node = maker(tensor)
        value = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
        return value.item() if value is not None and value.size == 1 and value.dtype.kind in "iuf" else None

    def is_uniform(tensor: str) -> bool:
        """From 0 to 1, also where scaled by 1 and shifted by 0."""
        node = maker(tensor)
        if node.op == "RandomUniform":
            return True
        neutral = {"Mul": 1, "Add": 0, "AddV2": 0}.get(node.op)
        return neutral is not None and any(
            constant(a) == neutral and is_uniform(b) for a, b in (node.input[:2], node.input[1::-1])
        )

    def is_one(tensor: str) -> bool:
        """True, or 1, whatever is drawn."""
        node = maker(tensor)
        if node.op == "GreaterEqual":
            rate = constant(node.input[1])
            return rate is not None and rate <= 0 and is_uniform(node.input[0])
        if node.op == "Floor" and maker(node.input[0]).op in ("Add", "AddV2"):
            pair = list(maker(node.input[0]).input[:2])
            return any(constant(a) == 1 and is_uniform(b) for a, b in (pair, pair[::-1]))
        return node.op == "Cast" and is_one(node.input[0])

    settled = False
    for node in graph_def.node:
        kept = None
        if node.op in ("Select", "SelectV2") and is_one(node.input[0]):
            kept = node.input[1]
        elif node.op == "Mul":
            kept = next((a for a, b in (node.input[:2], node.input[1::-1]) if is_one(b)), None)
        if kept is not None:
            node.op, settled = "Identity", True
            node.input[:] = [kept]
    if not settled:
        return graph_def
    return tf.compat.v1.graph_util.extract_sub_graph(graph_def, sorted({name.partition(":")[0] for name in keep}))
