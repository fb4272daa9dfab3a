"""Trained scales that a half-precision rest rounds: how many, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.core.warning import StepWarning
from trtbuild.graphs.graph import all_graphs, all_nodes

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

_LOST = 0.125  # float16 ends at 6e-8; near it, a scale becomes another one


@dataclass(frozen=True)
class RoundedScales:
    """``largest``: the largest relative change of a scale; ``node``: the DequantizeLinear that has it."""

    count: int
    largest: float
    node: str

    @property
    def lost(self) -> bool:
        return self.largest > _LOST

    def warning(self, model: onnx.ModelProto, kind: str, operation: Callable[[onnx.NodeProto], str]) -> StepWarning:
        """What is said of it; ``operation`` says where a node comes from.

        Raises:
            LowerError: the type does not hold the scale.
        """
        place = operation(next(node for node in all_nodes(model.graph) if node.name == self.node))
        if self.lost:
            what = f"{kind} cannot hold a trained scale of {place}"
            raise LowerError(what, where="lower", hint="precision.rest=float32 keeps the trained scales")
        what = f"{self.count} trained scale(s) are rounded to {kind}, by {100 * self.largest:.2g}% at most"
        hint = 'the hop "precision" of the deviation measures it; precision.rest=float32 keeps them'
        return StepWarning(what, place, hint)


def scales(model: onnx.ModelProto) -> dict[str, Array]:
    """The constant scales of every pair, by the name of its DequantizeLinear, as float64."""
    import onnx

    graphs = list(all_graphs(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    nodes = [node for graph in graphs for node in graph.node if node.op_type == "DequantizeLinear"]
    return {
        node.name: onnx.numpy_helper.to_array(constants[node.input[1]]).astype(np.float64)
        for node in nodes
        if node.input[1] in constants
    }


def compare(before: Mapping[str, Array], after: Mapping[str, Array]) -> RoundedScales | None:
    """The nodes of ``before`` that are still there with other scales; None if there are none.

    Scales of weights that became factors behind a convolution (``graphs/onescale.py``) are rounded as all factors are.
    """
    changes = {
        name: float((np.abs(after[name] - scale) / scale).max())
        for name, scale in before.items()
        if name in after and after[name].shape == scale.shape and scale.size
    }
    rounded = {name: change for name, change in changes.items() if change > 0}
    if not rounded:
        return None
    worst = max(rounded, key=lambda name: rounded[name])
    return RoundedScales(len(rounded), rounded[worst], worst)
