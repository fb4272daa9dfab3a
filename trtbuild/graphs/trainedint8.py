"""int8 by the Q/DQ pairs that a graph has already, which training chose; and what they leave in float.

TensorRT computes a node in int8 where a DequantizeLinear makes each of its operands.  Where operations that only move
values stand between, the same pair is repeated behind them: what is on a grid stays there, so no value changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.core.complaint import Entries
from trtbuild.core.parserwarnings import where
from trtbuild.core.warning import StepWarning
from trtbuild.graphs.graph import all_nodes, producers
from trtbuild.graphs.qdq import Quantisation
from trtbuild.graphs.trainedstrip import dequantised, drop_unread_pairs

if TYPE_CHECKING:
    import onnx

# They take every value from their first input, or make zeros, which every grid has.
_MOVING = {
    "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Expand", "Tile",
    "MaxPool", "Relu", "DepthToSpace", "SpaceToDepth",
}  # fmt: skip
_REORDERING = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
UNTRAINED = "no trained range for"
UNTRAINED_HINT = "add fake quantisation there, or calibrate them: model.qat.untrained: calibrate"
NOTHING = "no operation has trained ranges for both operands, so nothing would compute in int8"


def is_trained(model: onnx.ModelProto) -> bool:
    """Whether a graph has Q/DQ pairs of its own."""
    return any(node.op_type == "DequantizeLinear" for node in all_nodes(model.graph))


def settle(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    kept: Mapping[str, str],
    released: Collection[str],
    *,
    calibrate: bool,
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Make nodes int8 that trained ranges allow, in place.

    Args:
        nodes: the candidates; kept: nodes that are none, and why; released: those that get float operands back.
        calibrate: whether those with an operand that has no trained range are to be calibrated.

    Returns:
        what is to be calibrated, and what is not quantised, and why.

    Raises:
        LowerError: nothing would compute in int8.
    """
    pairs, left, found = _Pairs(model), set[str](), dict(kept)
    chosen = {node.name for node in nodes}
    for node in model.graph.node:
        if node.name in released:
            pairs.release(node)
        if node.name not in chosen:
            continue
        lacking = [name for slot, name in enumerate(node.input[:2]) if not pairs.give(node, slot, name)]
        if lacking and calibrate:
            left.add(node.name)
        elif lacking:
            found[node.name] = f"{UNTRAINED} {', '.join(lacking)}"
    pairs.write()
    if not chosen - found.keys():
        raise LowerError(NOTHING, where="lower", hint=UNTRAINED_HINT, details=tuple(found.values()))
    return [node for node in model.graph.node if node.name in left], found


def ranges(model: onnx.ModelProto) -> Quantisation:
    """Scales of the activations that a graph rounds, and the number of scales of each weight."""
    import onnx

    made = Quantisation()
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        scale = constants.get(node.input[1]) if len(node.input) > 1 else None
        if scale is not None and node.op_type == "QuantizeLinear":
            made.scales[node.input[0]] = float(onnx.numpy_helper.to_array(scale).max())
        elif scale is not None and node.op_type == "DequantizeLinear" and node.input[0] in constants:
            made.weights[node.output[0]] = int(np.prod(scale.dims))
    return made


def provenance(trained: Quantisation, calibrated: Quantisation) -> dict[str, str]:
    """Where the range of each quantised tensor comes from."""
    origin = dict.fromkeys((*trained.scales, *trained.weights), "trained")
    origin |= dict.fromkeys((*calibrated.scales, *calibrated.weights), "calibrated")
    return dict(sorted(origin.items()))


def warnings(untrained: Mapping[str, str], entries: Entries) -> list[StepWarning]:
    """What stays in float because an operand has no trained range; ``entries``: those of scopes.json."""
    names = [name for name, why in untrained.items() if why.startswith(UNTRAINED)]
    lacking = [f"{entries[name]['type']} {entries[name]['name']}" if name in entries else name for name in names]
    what = f"{len(lacking)} operation(s) stay in float: {UNTRAINED} an operand"
    return [StepWarning(what, where(lacking), UNTRAINED_HINT)] if lacking else []


class _Pairs:
    """The pairs of a graph, found from the operands back."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnx

        self._onnx, self._graph = onnx, model.graph
        self._makers = producers(model.graph)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._new: dict[str, list[onnx.NodeProto]] = {}  # by the tensor behind which they stand
        self._made: dict[str, str] = {}

    def give(self, node: onnx.NodeProto, slot: int, name: str) -> bool:
        """Whether a DequantizeLinear makes the operand; where one stands further back, its pair is repeated."""
        maker = self._makers.get(name)
        if maker is not None and maker.op_type == "DequantizeLinear":
            return True
        pair = self._pair_behind(name)
        if pair is None:
            return False
        if name not in self._made:
            stem = f"{name}/again"
            make, constants = self._onnx.helper.make_node, list(pair.input[1:3])
            self._new[name] = [
                make("QuantizeLinear", [name, *constants], [f"{stem}/q"], name=f"{stem}/q"),
                make("DequantizeLinear", [f"{stem}/q", *constants], [f"{stem}/dq"], name=f"{stem}/dq"),
            ]
            self._made[name] = f"{stem}/dq"
        node.input[slot] = self._made[name]
        return True

    def _pair_behind(self, name: str) -> onnx.NodeProto | None:
        """The DequantizeLinear whose grid all values of a tensor are on, if it has one scale and keeps zero."""
        maker = self._makers.get(name)
        if maker is None:
            return None
        if maker.op_type == "DequantizeLinear":
            scale = self.constants.get(maker.input[1])
            return maker if scale is not None and int(np.prod(scale.dims)) == 1 and len(maker.input) > 2 else None
        if maker.op_type in _MOVING or (maker.op_type == "Pad" and self._pads_zeros(maker)):
            return self._pair_behind(maker.input[0])
        if maker.op_type == "Concat":
            pairs = [self._pair_behind(part) for part in maker.input]
            found = [pair for pair in pairs if pair is not None]
            same = len({self._scale_of(pair) for pair in found}) == 1
            return found[0] if len(found) == len(pairs) and same else None
        return None

    def _pads_zeros(self, pad: onnx.NodeProto) -> bool:
        mode = next((a.s for a in pad.attribute if a.name == "mode"), b"constant")
        value = pad.input[2] if len(pad.input) > 2 and pad.input[2] else None
        held = self.constants.get(value) if value else None
        zero = value is None or (held is not None and not self._onnx.numpy_helper.to_array(held).any())
        return zero if mode == b"constant" else mode in (b"reflect", b"edge", b"wrap")

    def _scale_of(self, pair: onnx.NodeProto) -> tuple[float, bytes]:
        scale, zero = (self._onnx.numpy_helper.to_array(self.constants[name]) for name in pair.input[1:3])
        return float(scale.reshape(-1)[0]), zero.tobytes()

    def _defer(self) -> None:
        """Take a pair out where only its repetition is read: rounding before or after a transpose is the same."""
        read = Counter(name for node in self._graph.node for name in node.input)
        read.update(value.name for value in self._graph.output)
        for name in self._new:
            maker, alone = self._makers.get(name), read[name] == 0
            first = maker
            while maker is not None and maker.op_type in _REORDERING:
                first, alone = maker, alone and read[maker.input[0]] == 1
                maker = self._makers.get(maker.input[0])
            if alone and maker is not None and maker.op_type == "DequantizeLinear" and first is not None:
                before = self._makers.get(maker.input[0])
                if before is not None and before.op_type == "QuantizeLinear":
                    first.input[0] = before.input[0]

    def release(self, node: onnx.NodeProto) -> None:
        """Give a node its operands as they were before Q/DQ: activations unrounded, weights as the floats they are."""
        for slot, name in enumerate(node.input[:2]):
            maker = self._makers.get(name)
            if maker is None or maker.op_type != "DequantizeLinear":
                continue
            before = self._makers.get(maker.input[0])
            if before is not None and before.op_type == "QuantizeLinear":
                node.input[slot] = before.input[0]
            elif maker.input[0] in self.constants:
                floats = f"{name}/float"
                if floats not in self.constants:
                    tensor = self._onnx.numpy_helper.from_array(dequantised(maker, self.constants), floats)
                    self._graph.initializer.append(tensor)
                    self.constants[floats] = tensor
                node.input[slot] = floats

    def write(self) -> None:
        """Put the repeated pairs behind what they round, and drop pairs that nobody reads any more."""
        self._defer()
        ordered = []
        for node in self._graph.node:
            ordered.append(node)
            for name in node.output:
                ordered += self._new.get(name, ())
        kept = [self._onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
        del self._graph.node[:]
        self._graph.node.extend(kept)
        drop_unread_pairs(self._graph)
