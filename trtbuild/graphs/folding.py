"""Which TensorFlow operations one heavy ONNX node was made from: its convolution or product, and what was folded in.

tf2onnx names such a node after the last operation it holds (the bias, the batch norm), and TensorFlow's own constant
folding even gives the name of the norm's multiplication to the convolution; people look for the convolution.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# The kinds of TensorFlow operations, by a part of their names, that such a node is named after.
_HEARTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose"), ("Conv",)),
    **dict.fromkeys(("MatMul", "Gemm", "Einsum"), ("MatMul", "Einsum")),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "Loop", "Scan"), ("While", "LSTM", "GRU", "RNN")),
}
# A dilated Conv1D is the deepest known: Conv2D, Squeeze, BatchToSpaceND, ExpandDims and a norm of two behind it.
_DEPTH = 8
_BEFORE = ("Pad", "PadV2", "SpaceToBatchND", "ExpandDims", "Reshape", "Transpose", "Identity")
_SILENT = ("Identity", "Const", "StopGradient")
_DATA = {"Conv2DBackpropInput": 2, "Conv3DBackpropInputV2": 2}  # the slot of the data, where it is not the first
# TensorFlow's folding of a multiplication into a convolution: it has the multiplication's name, its weights this one.
_MERGED = "/merged_input"


@dataclass(frozen=True)
class TfOp:
    """One operation of the frozen graph; ``inputs`` are tensor names (``op:0``), ``shapes`` one for each output."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    shapes: tuple[tuple[int | None, ...] | None, ...]


@dataclass(frozen=True)
class Folding:
    """``heart``: the operation that the node is; ``op``: its author's name; ``members``: (name, type) of the others."""

    heart: TfOp
    op: str
    members: tuple[tuple[str, str], ...]

    @property
    def data(self) -> str:
        """The tensor that it reads, besides its weights."""
        return self.heart.inputs[_DATA.get(self.heart.kind, 0)]

    def reshaped(self, ops: Mapping[str, TfOp]) -> bool:
        """Whether padding or a change of shape right before it may have become part of the node."""
        before = ops.get(self.data.rpartition(":")[0])
        return before is not None and before.kind in _BEFORE and before.kind not in _SILENT


def is_heavy(op_type: str) -> bool:
    """Whether nodes of this ONNX type are named after an operation."""
    return op_type in _HEARTS


def unfold(op_type: str, ends: Sequence[TfOp], ops: Mapping[str, TfOp], known: Collection[str]) -> Folding | None:
    """What a node was made from.

    Args:
        ends: operations whose results the node makes, or that it is named after; ``known``: TensorFlow's tensors that
            are in the ONNX graph: what lies behind one of them belongs to other nodes.
    """
    paths = [path for end in ends if (path := _path(op_type, end, ops, known))]
    if not paths:
        return None
    *behind, heart = paths[0]
    author = _author(heart)
    members = [*_before(heart, ops, known), *([(heart.name, "Mul")] if author != heart.name else [])]
    members += [(op.name, op.kind) for op in reversed(behind) if op.kind not in _SILENT]
    members += [(path[-1].name, path[-1].kind) for path in paths[1:]]  # a bidirectional LSTM's other loop
    return Folding(heart, author, tuple(dict.fromkeys(m for m in members if m != (heart.name, heart.kind))))


def _path(op_type: str, end: TfOp, ops: Mapping[str, TfOp], known: Collection[str]) -> list[TfOp]:
    """From the node's last operation back to its heart, breadth first; empty where there is none."""
    paths, seen = [[end]], {end.name}
    for _ in range(_DEPTH):
        found = next((path for path in paths if any(kind in path[-1].kind for kind in _HEARTS[op_type])), None)
        if found is not None:
            return found
        longer = []
        for path in paths:
            for tensor in path[-1].inputs:
                op = ops.get(tensor.rpartition(":")[0])
                if op is not None and op.name not in seen and op.kind != "Const" and tensor not in known:
                    seen.add(op.name)
                    longer.append([*path, op])
        paths = longer
    return []


def _author(heart: TfOp) -> str:
    """The name that the convolution had before a multiplication was folded into it."""
    weights = next((name.rpartition(":")[0] for name in heart.inputs if name.rpartition(":")[0].endswith(_MERGED)), "")
    return weights.removesuffix(_MERGED) or heart.name


def _before(heart: TfOp, ops: Mapping[str, TfOp], known: Collection[str]) -> list[tuple[str, str]]:
    """Padding and changes of shape in front of it that lead to a tensor of the ONNX graph."""
    found: list[tuple[str, str]] = []
    tensor = heart.inputs[_DATA.get(heart.kind, 0)] if "Conv" in heart.kind else ""
    while tensor and tensor not in known:
        op = ops.get(tensor.rpartition(":")[0])
        if op is None or op.kind not in _BEFORE:
            return []
        if op.kind not in _SILENT:
            found.insert(0, (op.name, op.kind))
        tensor = op.inputs[0]
    return found
