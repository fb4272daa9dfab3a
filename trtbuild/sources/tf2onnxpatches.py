"""Patches for what tf2onnx 1.17 lacks or does badly: a scalar bias, copies of weights, an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tf2onnx.graph import Graph, Node
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer


def mend() -> None:
    """Once, however often it is called."""
    _mend_scalar_bias()
    _mend_constants()


def _mend_scalar_bias() -> None:
    """tf2onnx 1.17 takes a scalar added to a convolution for its bias, and fails on ``max(())`` (hard sigmoid)."""
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    original = TransposeOptimizer._add_handler
    if getattr(original, "mended", False):
        return

    def add_handler(self: TransposeOptimizer, trans: Node, node: Node) -> bool:
        handled: bool
        second = node.inputs[1]
        if second.is_const() and second.get_tensor_value(as_list=False).ndim == 0:
            handled = self._handle_node_having_branches(trans, node)
        else:
            handled = original(self, trans, node)
        return handled

    add_handler.mended = True  # type: ignore[attr-defined]
    TransposeOptimizer._add_handler = add_handler


def _mend_constants() -> None:
    """Leave the protobuf of a constant as it is; in this process, once.

    ``Node.update_proto`` runs for every node after each of twelve passes, three times over.  It empties the list of
    attributes and fills it again, and protobuf frees a message's old content only with the whole message: in the end 36
    copies of 114 MB of weights are held.  Nothing reads that list for a constant: ``make_graph`` takes the value that
    the node itself holds.
    """
    from tf2onnx.graph import Node

    original = Node.update_proto
    if getattr(original, "mended", False):
        return

    def update_proto(self: Node, external_tensor_storage: object = None) -> None:
        if not self.is_const():
            original(self, external_tensor_storage)

    update_proto.mended = True  # type: ignore[attr-defined]
    Node.update_proto = update_proto


def erfc(context: Graph, node: Node, name: str, arguments: object) -> None:
    """erfc(x) = 1 - erf(x): tf2onnx 1.17 lacks it, and Keras 3's exact GELU uses it."""
    import numpy as np
    from tf2onnx import utils

    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    one = context.make_const(utils.make_name("one"), np.array(1, utils.map_onnx_to_numpy_type(dtype)))
    source, output = node.input[0], node.output[0]
    context.remove_node(node.name)
    erf = context.make_node("Erf", [source], shapes=[shape], dtypes=[dtype])
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], name=name, outputs=[output], shapes=[shape], dtypes=[dtype]
    )
