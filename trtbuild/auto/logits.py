"""The tensors whose errors add up: each output of a graph, before the softmax, sigmoid or argmax at its end.

Behind these, an error depends on the others (docs/auto.md); before them, errors of parts are nearly additive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.graphs.graph import producers

if TYPE_CHECKING:
    import onnx

_ENDS = ("Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "ArgMax", "ArgMin", "Hardmax", "TopK")
_MOVES = ("Identity", "Cast", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")


def before_softmax(graph: onnx.GraphProto) -> dict[str, str]:
    """Output -> the tensor to measure; the output itself where nothing of the kind ends it."""
    writer = producers(graph)
    found = {}
    for value in graph.output:
        tensor, measured = value.name, value.name
        while (node := writer.get(tensor)) is not None and node.op_type in _ENDS + _MOVES and node.input:
            tensor = node.input[0]
            if node.op_type in _ENDS and tensor in writer:
                measured = tensor
        found[value.name] = measured
    return found
