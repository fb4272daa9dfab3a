"""The unavoidable int8 error of each quantised layer: the exported graph, quantised afresh for this very input.

Scales come from the reference's largest values and weights from the exported graph, so a wrong scale or weight in the
lowered graph shows up as an excess over this error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from trtbuild.graphs import qdq
from trtbuild.graphs.graph import hoist_constants
from trtbuild.layers.inspectedgraph import InspectedGraph
from trtbuild.layers.localerrors import LocalErrors


def expected_nrmse(
    names: Sequence[str],
    quantised: Collection[str],
    exported: InspectedGraph,
    lowered: InspectedGraph,
    local: LocalErrors,
) -> dict[str, float]:
    """RMS error / RMS of each tensor in ``names`` that a ``quantised`` node of the exported graph computes."""
    if not quantised:
        return {}
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(exported.model)
    hoist_constants(model.graph)
    nodes = [node for node in model.graph.node if node.name in quantised]
    layers = {output for node in nodes for output in node.output}
    scales = scales_of(lowered.model)
    ranges = {
        name: _range(name, local, qdq.LARGEST * scales.get(name, 0.0)) for name in qdq.activations(nodes, model.graph)
    }
    qdq.insert(model, nodes, ranges)
    errors = local.of(InspectedGraph("ideal", model), [name for name in names if name in layers])
    return {name: found["nrmse"] for name, found in errors.items() if found["nrmse"] is not None}


def _range(name: str, local: LocalErrors, otherwise: float) -> float:
    """The largest magnitude in the reference's values of a tensor; ``otherwise`` where it is not mapped."""
    value = local.runs.feeds.get(name)
    if value is None and name in local.reference.index:
        value = local.reference.stored(name)
    return otherwise if value is None else float(np.abs(value).max(initial=0.0))


def scales_of(model: Any) -> Mapping[str, float]:
    """The scale of every tensor that is quantised per tensor."""
    import onnx

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    return {
        node.input[0]: float(onnx.numpy_helper.to_array(constants[node.input[1]]))
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[1] in constants and not constants[node.input[1]].dims
    }
