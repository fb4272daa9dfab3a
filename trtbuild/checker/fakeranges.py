"""What variables hold that are ranges of fake quantisation: there, a value is a guide before training, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.checker.subgraph import Subgraph

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    from trtbuild.arrays.arrayfile import Array

MOST_ELEMENTS = 1 << 16  # a range for each channel; what is larger is a weight that a range is computed from
_INITIAL = {1: -6.0, 2: 6.0}  # by the operand; where nothing can be read, as in a graph without a session


def values(graph_def: GraphDef, part: Subgraph) -> dict[str, Array]:
    """Variable -> its value, of those that a range is computed from in a graph whose variables are constants."""
    import numpy as np

    from trtbuild.sources.fakequant import KINDS

    nodes = {node.name: node for node in graph_def.node}
    found: dict[str, Array] = {}
    for node in graph_def.node:
        operands = node.input[1:3] if node.op in KINDS else ()
        for slot, name in enumerate(operands, 1):
            for variable in _behind(nodes, name):
                if variable in part.variables and variable not in found:
                    shape = part.variables[variable].shape
                    if np.prod(shape) <= MOST_ELEMENTS:
                        held = _read(part, variable)
                        found[variable] = np.full(shape, _INITIAL[slot]) if held is None else held
    return found


def _behind(nodes: dict[str, NodeDef], tensor: str) -> list[str]:
    """Constants that a tensor is computed from."""
    waiting, seen = [tensor], dict[str, None]()
    while waiting:
        name = waiting.pop().removeprefix("^").partition(":")[0]
        if name not in seen and name in nodes:
            seen[name] = None
            waiting += nodes[name].input
    return [name for name in seen if nodes[name].op == "Const"]


def _read(part: Subgraph, variable: str) -> Array | None:
    handle = part.handles.get(variable)
    if handle is None or not hasattr(handle, "numpy"):
        return None
    import tensorflow as tf

    try:
        with tf.init_scope():
            value: Array = tf.raw_ops.ReadVariableOp(
                resource=handle, dtype=tf.dtypes.as_dtype(part.variables[variable].dtype)
            ).numpy()
    except tf.errors.OpError:  # not initialised
        return None
    return value
