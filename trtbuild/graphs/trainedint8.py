"""int8 by the Q/DQ pairs that a graph has already, which training chose; and what they leave in float."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.core.complaint import Entries
from trtbuild.core.parserwarnings import where
from trtbuild.core.warning import StepWarning
from trtbuild.graphs.graph import all_graphs, all_nodes, producers
from trtbuild.graphs.qdq import Quantisation
from trtbuild.graphs.trained import NEGATION, OPERATIONS
from trtbuild.graphs.trainedpairs import BY_CHANNEL, JOINED, UNTRAINED, Pairs

if TYPE_CHECKING:
    import onnx

UNTRAINED_HINT = "add fake quantisation there, or calibrate them: model.qat.untrained: calibrate"
JOINED_HINT = "give what is joined one range, behind the Concat; or calibrate it: model.qat.untrained: calibrate"
OTHER_KIND = "the precision does not quantise operations of this type (quantize_ops)"
FLOAT_HINT = "int8 takes float32 convolutions and products with fake quantisation of both operands"
NOTHING = "no operation has trained ranges for both operands, so nothing would compute in int8"
_REASONS = (  # how a reason begins, what is said of all operations that have it, and a hint
    (UNTRAINED, f"{UNTRAINED} an operand", UNTRAINED_HINT),
    (JOINED, "an operand is joined (Concat) from tensors of different trained ranges", JOINED_HINT),
    (BY_CHANNEL, "an activation has a trained range for each channel", "int8 takes one range for a whole tensor"),
    (OTHER_KIND, OTHER_KIND, "they compute with the rounded values"),
)


def is_trained(model: onnx.ModelProto) -> bool:
    """Whether a graph has Q/DQ pairs of its own."""
    return any(node.op_type == "DequantizeLinear" for node in all_nodes(model.graph))


def settle(
    model: onnx.ModelProto,
    nodes: Collection[onnx.NodeProto],
    kept: Mapping[str, str],
    released: Collection[str],
    *,
    calibrate: bool,
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Make nodes int8 that trained ranges allow, in place, in loops and branches, too.

    Args:
        nodes: the candidates; kept: nodes that are none, and why; released: those that get float operands back.
        calibrate: whether those with an operand that has no trained range are to be calibrated, outside loops.

    Returns:
        what is to be calibrated, and what is not quantised, and why.

    Raises:
        LowerError: nothing would compute in int8.
    """
    chosen, left, found = {node.name for node in nodes}, set[str](), dict(kept)
    graphs = list(all_graphs(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    makers = {name: node for graph in graphs for name, node in producers(graph).items()}
    for graph in reversed(graphs):  # inner ones first: their nodes are copied with the outer ones
        pairs = Pairs(graph, constants, makers)
        for node in list(graph.node):
            if node.name in released:
                pairs.release(node)
            elif node.name in chosen:
                lacking = pairs.lacking(node)
                if lacking and calibrate and graph is model.graph:
                    left.add(node.name)
                elif lacking:
                    found[node.name] = ", ".join(lacking)
                    continue
                pairs.give(node)
            elif node.op_type in OPERATIONS and node.name not in found and pairs.unpack(node):
                found[node.name] = OTHER_KIND
        pairs.write()
    if not chosen - found.keys():
        first = next(iter(found.items()), None)
        what = NOTHING if first is None else f"{NOTHING} (first: {', '.join(first)})"
        hint = UNTRAINED_HINT if any(why.startswith(UNTRAINED) for why in found.values()) else FLOAT_HINT
        raise LowerError(what, where="lower", hint=hint, details=tuple(map(": ".join, found.items())))
    return [node for node in model.graph.node if node.name in left], found


def ranges(model: onnx.ModelProto) -> Quantisation:
    """Scales of the activations that a graph rounds, and the number of scales of each weight."""
    import onnx

    made, graphs = Quantisation(), list(all_graphs(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    for graph in graphs:
        makers = producers(graph)
        for node in graph.node:
            scale = constants.get(node.input[1]) if len(node.input) > 1 else None
            if scale is not None and node.op_type == "QuantizeLinear":
                maker = makers.get(node.input[0])
                name = maker.input[0] if maker is not None and maker.op_type == NEGATION else node.input[0]
                made.scales[name] = float(onnx.numpy_helper.to_array(scale).max())
            elif scale is not None and node.op_type == "DequantizeLinear" and node.input[0] in constants:
                made.weights[node.output[0]] = int(np.prod(scale.dims))
    return made


def provenance(trained: Quantisation, calibrated: Quantisation) -> dict[str, str]:
    """Where the range of each quantised tensor comes from."""
    origin = dict.fromkeys((*trained.scales, *trained.weights), "trained")
    origin |= dict.fromkeys((*calibrated.scales, *calibrated.weights), "calibrated")
    return dict(sorted(origin.items()))


def reason(why: str) -> tuple[str, str] | None:
    """What to say of operations that stay in float for a reason of :func:`settle`, and a hint."""
    return next(((words, hint) for begins, words, hint in _REASONS if why.startswith(begins)), None)


def warnings(untrained: Mapping[str, str], entries: Entries) -> list[StepWarning]:
    """What stays in float though it was trained for int8, or for want of a trained range.

    ``entries``: those of scopes.json.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name, why in untrained.items():
        if (said := reason(why)) is not None:
            found.setdefault(said, []).append(name)
    made = []
    for (words, hint), names in found.items():
        places = [f"{entries[name]['type']} {entries[name]['name']}" if name in entries else name for name in names]
        made.append(StepWarning(f"{len(names)} operation(s) stay in float: {words}", where(places), hint))
    return made
