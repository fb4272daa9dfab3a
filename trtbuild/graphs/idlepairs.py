"""Pairs of QuantizeLinear and DequantizeLinear that let nothing run quantised: they repeat another, or feed floats."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from trtbuild.graphs.facts import Facts
from trtbuild.graphs.graph import producers

if TYPE_CHECKING:
    import onnx

_MOVES = ("Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")
_QUANTISABLE = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def idle(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the QuantizeLinear nodes of such pairs, in order.

    What stands between a DequantizeLinear and another QuantizeLinear may run quantised, so that pair is not idle.
    """
    graph = model.graph
    quantisers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    if not quantisers:
        return ()
    pairs = _Pairs(graph, Facts(model))
    return tuple(node.name or node.output[0] for node in quantisers if pairs.repeats(node) or not pairs.used(node))


class _Pairs:
    def __init__(self, graph: onnx.GraphProto, facts: Facts) -> None:
        self._makers, self._facts = producers(graph), facts
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def repeats(self, node: onnx.NodeProto) -> bool:
        """Whether its values are those of the pair in front of it."""
        before = self._maker(node.input[0], ("Identity",))
        if before is None or before.op_type != "DequantizeLinear":
            return False
        for mine, other in zip(node.input[1:], before.input[1:], strict=False):
            a, b = self._facts.constant(mine), self._facts.constant(other)
            if mine != other and (a is None or b is None or a.dtype != b.dtype or a.tolist() != b.tolist()):
                return False
        return True

    def used(self, node: onnx.NodeProto) -> bool:
        """Whether quantised values reach an operation that may run on them, or leave the network as they are."""
        given = self._readers.get(node.output[0], ())
        return not given or any(
            reader.op_type != "DequantizeLinear" or self._may_run(reader.output[0]) for reader in given
        )

    def _may_run(self, name: str) -> bool:
        """Whether any reader of a dequantised tensor may run quantised."""
        for node in self._readers.get(name, ()):
            if node.op_type in _QUANTISABLE:
                operands = [self._maker(one, _MOVES) for one in node.input[:2]]
                if all(one is not None and one.op_type == "DequantizeLinear" for one in operands):
                    return True
            elif node.op_type == "QuantizeLinear":
                if self.repeats(node) and self.used(node):
                    return True
            elif node.op_type in _MOVES:
                if self._may_run(node.output[0]):
                    return True
            elif any(one.op_type == "QuantizeLinear" for out in node.output for one in self._readers.get(out, ())):
                return True
        return False

    def _maker(self, name: str, skipped: Collection[str]) -> onnx.NodeProto | None:
        maker = self._makers.get(name)
        while maker is not None and maker.op_type in skipped:
            maker = self._makers.get(maker.input[0])
        return maker
