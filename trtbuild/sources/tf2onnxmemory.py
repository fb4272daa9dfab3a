"""Keeps tf2onnx 1.17 from copying every weight at every step of its optimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tf2onnx.graph import Node


def mend_constants() -> None:
    """Leave the protobuf of a constant as it is; in this process, once.

    ``Node.update_proto`` runs for every node after each of twelve passes, three times over.  It empties the list of
    attributes and fills it again, and protobuf frees what was in a message with the whole message alone: of 114 MB of
    weights 36 copies are held in the end.  Nothing reads that list for a constant: ``make_graph`` takes the value that
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
