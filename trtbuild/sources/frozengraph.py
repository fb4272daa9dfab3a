"""What the inputs and outputs of a frozen GraphDef are, which does not say it itself.

Needs TensorFlow's graph; loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trtbuild.base.errors import SourceError

_WITH_DEFAULT = "PlaceholderWithDefault"
# Results of these are read by a loop or a branch, by what made the graph, or by nobody: a counter's Exit, a Switch's
# other side, a summary.  They are outputs only where there is no other.
_BETWEEN = {"Enter", "Exit", "NextIteration", "Switch", "Merge", "LoopCond", "RefEnter", "RefExit", "RefSwitch",
            "RefMerge", "RefNextIteration", "TensorArrayV3", "TensorArrayWriteV3", "TensorArrayScatterV3",
            "TensorArraySizeV3", "Shape", "Size", "Rank", "Const", "Placeholder", _WITH_DEFAULT}  # fmt: skip


@dataclass(frozen=True)
class Ends:
    """Tensors of the graph."""

    inputs: list[Any]
    outputs: list[Any]


def ends(graph: Any, where: str) -> Ends:
    """Placeholders, and what nothing reads.

    Placeholders with a default stay that constant, unless there are no others: then those are inputs whose default is
    a constant and no scalar (an image, not a dropout rate).

    Raises:
        SourceError: there is no input, or no output that depends on one.
    """
    operations = graph.get_operations()
    inputs = [op.outputs[0] for op in operations if op.type in ("Placeholder", "PlaceholderV2")]
    if not inputs:
        constant = [op for op in operations if op.type == _WITH_DEFAULT and op.inputs[0].op.type == "Const"]
        inputs = [op.outputs[0] for op in constant if op.outputs[0].shape.rank != 0]
    if not inputs:
        hint = "a model without an input computes a constant"
        raise SourceError("the graph has no placeholder", where=where, hint=hint)
    reached = _reached(inputs)
    last = [op for op in reached if op.outputs and not any(tensor.consumers() for tensor in op.outputs)]
    last = [op for op in last if all(_is_numeric(tensor) for tensor in op.outputs)]
    outputs = [op for op in last if op.type not in _BETWEEN] or last
    if not outputs:
        raise SourceError("nothing is computed from the graph's placeholders", where=where)
    behind = _behind([tensor for op in outputs for tensor in op.outputs])
    return Ends([t for t in inputs if t.op in behind], [tensor for op in outputs for tensor in op.outputs])


def _is_numeric(tensor: Any) -> bool:
    dtype = tensor.dtype.base_dtype
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _reached(tensors: Iterable[Any]) -> list[Any]:
    """Operations that depend on these, in the graph's order."""
    found: dict[Any, None] = {}
    waiting = list(tensors)
    while waiting:
        for op in waiting.pop().consumers():
            if op not in found:
                found[op] = None
                waiting += op.outputs
    return sorted(found, key=lambda op: op._id)


def _behind(tensors: Iterable[Any]) -> set[Any]:
    """Operations that these depend on."""
    found: set[Any] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return found
