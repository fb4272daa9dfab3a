"""A graph in a precision, without data: what a check asks TensorRT about.  The int8 scales in it are all the same.

Which operations exist in a precision does not depend on the values of scales; what they are worth does, and a build
measures them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trtbuild.base.errors import LowerError

if TYPE_CHECKING:
    import onnx

_RANGE = 127.0  # so that every scale is 1
_FLOATS = {"fp16": "float16", "bf16": "bfloat16"}


def lower(
    model: onnx.ModelProto,
    precision: str,
    quantize_ops: Sequence[str],
    keep_nodes: Sequence[str] = (),
    keep_ops: Sequence[str] = (),
) -> dict[str, str]:
    """Rewrite ``model`` (float32) in place; returns nodes of the quantised types that stay in float32, and why.

    Args:
        quantize_ops: op types that int8 is for; keep_nodes, keep_ops: what stays in float32.

    Raises:
        LowerError: int8, and nothing to quantise.
    """
    from trtbuild.graphs import qdq
    from trtbuild.graphs.cast import cast_graph
    from trtbuild.graphs.graph import element_types, hoist_constants

    names, kinds = set(keep_nodes), set(keep_ops)
    hoist_constants(model.graph)

    def keep(node: onnx.NodeProto) -> bool:
        return node.name in names or node.op_type in kinds

    if precision in _FLOATS:
        cast_graph(model, _FLOATS[precision], keep)
        return {}
    if precision != "int8":
        return {}
    nodes, kept = qdq.candidates(model.graph, element_types(model), quantize_ops, keep)
    if not nodes:
        raise LowerError(
            f"nothing to quantise: the graph has no {', '.join(quantize_ops)} outside loops and exclusions",
            where="lower", hint="an int8 engine would be float32 under another name; use fp16 or bf16",
        )  # fmt: skip
    qdq.insert(model, nodes, dict.fromkeys(qdq.activations(nodes, model.graph), _RANGE))
    return kept
