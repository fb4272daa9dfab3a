"""Which precisions a graph with trained Q/DQ can be built in: int8 if symmetric, others without the rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.base.errors import LowerError
from trtbuild.core.parserwarnings import where
from trtbuild.core.warning import StepWarning
from trtbuild.graphs import symmetric, trainedstrip
from trtbuild.graphs.graph import all_graphs, all_nodes

if TYPE_CHECKING:
    import onnx

SYMMETRIC_HINT = (
    "model.qat.ranges: symmetric makes them so and measures what that loses; or train with symmetric ranges"
)
OTHER_HINT = "build it with precision=int8, which uses them; model.qat.strip: [{}] takes the rounding out"
ASYMMETRIC = "{} trained range(s) are not symmetric, and TensorRT's int8 has no zero point"
OTHER = "the source model already computes in int8 (Q/DQ), so it is not {}"


@dataclass(frozen=True)
class Admission:
    """``uses``: whether the precision has int8 anywhere; ``place``: where a node comes from, in words."""

    precision: str
    uses: bool
    strip: bool
    place: Callable[[onnx.NodeProto], str]

    def admit(self, model: onnx.ModelProto) -> list[StepWarning]:
        """Take trained rounding out where the config says so, in place; otherwise see that the precision uses it.

        Raises:
            LowerError: the precision does not use trained ranges, or TensorRT cannot express them.
        """
        pairs = [node for node in all_nodes(model.graph) if node.op_type == "DequantizeLinear"]
        if not pairs:
            return []
        if self.strip:
            places = where(self.place(node) for node in pairs)
            what = (
                f"the rounding of {trainedstrip.strip(model)} trained range(s) was taken out: {self.precision} clamps"
            )
            return [StepWarning(what, places, "precision=int8 uses them")]
        if not self.uses:
            hint = OTHER_HINT.format(self.precision)
            raise LowerError(OTHER.format(self.precision), where="lower", hint=hint)
        if found := asymmetric(model):
            lines = tuple(self.place(node) for node in found)
            what = f"{ASYMMETRIC.format(len(found))} ({where(lines)})"
            raise LowerError(what, where="lower", hint=SYMMETRIC_HINT, details=lines)
        return []


def asymmetric(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """One node for each range that is not symmetric: what rounds activations, or holds weights."""
    constants = {tensor.name for graph in all_graphs(model.graph) for tensor in graph.initializer}
    nodes = symmetric.unsigned(model)
    return [node for node in nodes if node.op_type == "QuantizeLinear" or node.input[0] in constants]
