"""Loops with a trip limit and a condition of which it is known that they run to their limit.

TensorRT gives what a loop collects the length of the trip limit, and warns where a condition might end it before.  The
loops that TensorFlow's recurrent layers become count their own steps, so that the condition can be computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from trtbuild.graphs.facts import Facts, integer
from trtbuild.graphs.graph import all_nodes, subgraphs

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

MOST_STEPS = 10_000
_DEEPEST = 64  # nodes from a condition to what it counts
Values = dict[str, "Array | None"]  # of scalars; None where a value is not known


def runs_to_its_limit(loop: onnx.NodeProto, nodes: Mapping[str, onnx.NodeProto], facts: Facts) -> bool:
    """Whether the condition holds until the last step; ``nodes``: the maker of every tensor.

    Body inputs are iteration, condition and states; its outputs condition, states and what is collected.
    """
    limit = _value(loop.input[0], {}, nodes, facts)
    first = _value(loop.input[1], {}, nodes, facts) if loop.input[1] else None
    (body,) = subgraphs(loop)
    if limit is None or limit.size != 1 or not 0 < int(limit.flat[0]) <= MOST_STEPS:
        return False
    if loop.input[1] and (first is None or not first.all()):
        return False
    iteration, condition, *states = (value.name for value in body.input)
    values = {name: _value(given, {}, nodes, facts) for name, given in zip(states, loop.input[2:], strict=True)}
    import numpy as np

    for step in range(int(limit.flat[0]) - 1):
        known: Values = {**values, iteration: np.array(step), condition: np.array(True)}
        going = _value(body.output[0].name, known, nodes, facts)
        if going is None or not going.all():
            return False
        values = {
            name: None if values[name] is None else _value(made.name, known, nodes, facts)
            for name, made in zip(states, body.output[1:], strict=False)
        }
    return True


def exact(model: onnx.ModelProto) -> set[str]:
    """Names of the loops that run to their limit."""
    loops = [node for node in all_nodes(model.graph) if node.op_type == "Loop" and node.input[0]]
    if not loops:
        return set()
    facts = Facts(model)
    makers = {name: node for node in all_nodes(model.graph) for name in node.output}
    return {loop.name for loop in loops if runs_to_its_limit(loop, makers, facts)}


def _value(name: str, known: Values, nodes: Mapping[str, onnx.NodeProto], facts: Facts, depth: int = 0) -> Array | None:
    if name in known:
        return known[name]
    node = nodes.get(name)
    if node is None or node.op_type == "Constant":
        found = facts.constant(name)
        return found if found is not None and found.size <= 1 else None
    of = _OPERATIONS.get(node.op_type)
    if of is None or depth > _DEEPEST:
        return None
    given = [_value(one, known, nodes, facts, depth + 1) for one in node.input[:2]]
    values = [value for value in given if value is not None]
    if len(values) < len(given):
        return None
    result = _cast(node, values[0]) if node.op_type == "Cast" else of(*values)
    known[name] = result
    return result


def _cast(node: onnx.NodeProto, value: Array) -> Array:
    import onnx

    return value.astype(onnx.helper.tensor_dtype_to_np_dtype(integer(node, "to")))


_OPERATIONS: dict[str, Callable[..., Array]] = {
    "Add": lambda a, b: a + b, "Sub": lambda a, b: a - b, "Less": lambda a, b: a < b, "Greater": lambda a, b: a > b,
    "LessOrEqual": lambda a, b: a <= b, "GreaterOrEqual": lambda a, b: a >= b, "Equal": lambda a, b: a == b,
    "And": lambda a, b: a & b, "Or": lambda a, b: a | b, "Not": lambda a: ~a, "Identity": lambda a: a,
    "Cast": lambda a: a, "Squeeze": lambda a, *_: a, "Unsqueeze": lambda a, *_: a,
}  # fmt: skip
