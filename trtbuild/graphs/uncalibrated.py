"""A graph in a precision, without data: what a check asks TensorRT about. All int8 scales in it are the same.

Which operations exist in a precision does not depend on the values of scales; how good they are does, and a build
measures that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from trtbuild.core.spec import Lowering

if TYPE_CHECKING:
    import onnx

_RANGE = 127.0  # so that every scale is 1


def lower(model: onnx.ModelProto, lowering: Lowering, keep_nodes: Collection[str] = ()) -> dict[str, str]:
    """Rewrite ``model`` (float32) in place; returns nodes of the quantised types that stay in float32, and why.

    Args:
        keep_nodes: what stays in float32 besides ``lowering.exclude_ops``: the nodes of the excluded scopes.

    Raises:
        LowerError: int8, and nothing to quantise.
    """
    from trtbuild.graphs import qdq
    from trtbuild.graphs.cast import cast_graph
    from trtbuild.graphs.graph import hoist_constants

    if lowering.kind == "none":
        return {}
    if not lowering.calibrated:
        hoist_constants(model.graph)
        cast_graph(model, lowering.kind, _keeper(lowering, keep_nodes))
        return {}
    nodes, kept = quantised_nodes(model, lowering, keep_nodes)
    qdq.insert(model, nodes, dict.fromkeys(qdq.activations(nodes, model.graph), _RANGE))
    return kept


def quantised_nodes(
    model: onnx.ModelProto, lowering: Lowering, keep_nodes: Collection[str]
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Nodes that int8 is for, and the reasons for those of its types that stay in float32; hoists constants.

    Raises:
        LowerError: there are none.
    """
    from trtbuild.graphs import qdq
    from trtbuild.graphs.graph import element_types, hoist_constants

    hoist_constants(model.graph)
    keep = _keeper(lowering, keep_nodes)
    return qdq.nodes_to_quantise(model.graph, element_types(model), lowering.quantize_ops, keep)


def _keeper(lowering: Lowering, keep_nodes: Collection[str]) -> Callable[[onnx.NodeProto], bool]:
    names, kinds = set(keep_nodes), set(lowering.exclude_ops)
    return lambda node: node.name in names or node.op_type in kinds
