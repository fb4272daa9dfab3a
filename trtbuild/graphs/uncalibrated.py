"""A graph in a precision, without data: what a check asks TensorRT about. All scales of activations are the same.

Which operations exist in a precision does not depend on the values of scales; how good they are does, and a build
measures that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from trtbuild.core.spec import Lowering

if TYPE_CHECKING:
    import onnx

_RANGE = 127.0  # so that every scale of int8 is 1


def lower(
    model: onnx.ModelProto, lowering: Lowering, scoped: Mapping[str, Collection[str]] | None = None
) -> dict[str, str]:
    """Rewrite ``model`` (float32) in place; returns nodes of the quantised types that are not quantised, and why.

    Args:
        scoped: the nodes in each of the lowering's scopes, by name.

    Raises:
        LowerError: there is nothing to quantise, or onnx cannot raise the opset.
    """
    from trtbuild.graphs import lowered
    from trtbuild.graphs.graph import hoist_constants
    from trtbuild.graphs.placement import Placement

    if lowering.plain:
        return {}
    hoist_constants(model.graph)
    placement = Placement(lowering, scoped)
    lowered.prepare(model, placement)
    nodes, kept = lowered.quantised_nodes(model, placement)
    lowered.write(model, placement, nodes, dict.fromkeys(lowered.activations(model, placement, nodes), _RANGE))
    return kept
