"""The trained Q/DQ pairs of one graph, found from the operands of its products back, and brought to them.

TensorRT computes a node in int8 where a DequantizeLinear makes each of its operands.  Where operations that only move
values stand between, the same pair is repeated behind them: what is on a grid stays there, so no value changes.  A
pair between negations (``graphs/trained.py``) loses the one behind it: weights take the sign, or else the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs.graph import all_nodes, producers
from trtbuild.graphs.trained import NEGATION
from trtbuild.graphs.trainedstrip import dequantised, drop_unread_pairs

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

# They take every value from their first input, or make zeros, which every grid has.
_MOVING = {
    "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Expand", "Tile",
    "MaxPool", "Relu", "DepthToSpace", "SpaceToDepth",
}  # fmt: skip
_REORDERING = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", NEGATION)
UNTRAINED, BY_CHANNEL = "no trained range for", "a range by channel for"
JOINED = "tensors of different trained ranges are joined in"


@dataclass(frozen=True)
class _Pair:
    """A DequantizeLinear; ``negated``: what stands behind it is negated.  ``far``: other operations stand between."""

    node: onnx.NodeProto
    negated: bool = False
    far: bool = False

    def turned(self) -> _Pair:
        return _Pair(self.node, not self.negated, self.far)


class Pairs:
    """The pairs of one graph, and what is to stand beside them when it is written.

    ``constants``: those of all graphs of the model; new ones are added.  ``outside``: what makes the tensors that a
    loop or branch reads from outside.
    """

    def __init__(
        self, graph: onnx.GraphProto, constants: dict[str, onnx.TensorProto], outside: Mapping[str, onnx.NodeProto]
    ) -> None:
        import onnx

        self._onnx, self._graph, self._constants = onnx, graph, constants
        self._makers = producers(graph)
        self._all_makers = {**outside, **self._makers}
        self._behind: dict[str, list[onnx.NodeProto]] = {}  # new nodes, by the tensor behind which they stand
        self._repeated: dict[str, str] = {}
        self._new = set[str]()  # constants

    def lacking(self, node: onnx.NodeProto) -> list[str]:
        """Why operands keep a node from int8; empty if they do not."""
        return [why for name in node.input[:2] if (why := self._why_not(name))]

    def give(self, node: onnx.NodeProto) -> None:
        """Let each operand that has a range come from a DequantizeLinear; where that is far, its pair is repeated."""
        negated = False
        for slot, name in enumerate(node.input[:2]):
            pair = self._find(name)
            if pair is not None and not self._why_not(name):
                node.input[slot] = self._repeat(name, pair) if pair.far else pair.node.output[0]
                negated ^= pair.negated
        if negated and not self._negate_weights(node):
            self._negate_result(node)

    def unpack(self, node: onnx.NodeProto) -> bool:
        """Give a node that is not to be int8 its weights as the floats that they were rounded to."""
        pairs = [self._find(name) for name in node.input[:2]]
        for slot, (name, pair) in enumerate(zip(node.input[:2], pairs, strict=True)):
            if pair is not None and not pair.far and pair.node.input[0] in self._constants:
                node.input[slot] = self._floats(name, pair)
        return None not in pairs

    def release(self, node: onnx.NodeProto) -> None:
        """Give a node its operands as they were before Q/DQ: activations unrounded, weights as the floats they are."""
        for slot, name in enumerate(node.input[:2]):
            pair = self._find(name)
            if pair is None or pair.far:
                continue
            before = self._makers.get(pair.node.input[0])
            if before is not None and before.op_type == "QuantizeLinear":
                source = self._makers.get(before.input[0])
                if not pair.negated:
                    node.input[slot] = before.input[0]
                elif source is not None and source.op_type == NEGATION:
                    node.input[slot] = source.input[0]
            elif pair.node.input[0] in self._constants:
                node.input[slot] = self._floats(name, pair)

    def write(self) -> None:
        """Put new nodes behind what they read, and drop pairs that nobody reads any more."""
        self._defer()
        kept = [self._onnx.NodeProto.FromString(node.SerializeToString()) for node in self._ordered()]
        del self._graph.node[:]
        self._graph.node.extend(kept)
        drop_unread_pairs(self._graph)

    def _ordered(self) -> Iterator[onnx.NodeProto]:
        for name, new in self._behind.items():
            if not any(name in node.output for node in self._graph.node):
                yield from new
        for node in self._graph.node:
            yield node
            for name in node.output:
                yield from self._behind.get(name, ())

    def _why_not(self, name: str) -> str:
        pair = self._find(name)
        if pair is None:
            return f"{JOINED if self._is_joined(name) else UNTRAINED} {name}"
        weights = not pair.far and pair.node.input[0] in self._constants
        return "" if weights or self._scales(pair.node) <= 1 else f"{BY_CHANNEL} {name}"

    def _find(self, name: str) -> _Pair | None:
        """The pair whose grid all values of a tensor are on, or were before operations that only move them."""
        near = self._makers.get(name)
        if negated := near is not None and near.op_type == NEGATION:
            near = self._makers.get(near.input[0])
        if near is not None and near.op_type == "DequantizeLinear":
            return _Pair(near, negated)
        return self._far(name)

    def _far(self, name: str) -> _Pair | None:
        maker = self._all_makers.get(name)
        if maker is None:
            return None
        if maker.op_type == "DequantizeLinear":
            known = maker.input[1] in self._constants and len(maker.input) > 2
            return _Pair(maker, far=True) if known else None
        if maker.op_type == NEGATION:
            found = self._far(maker.input[0])
            return None if found is None else found.turned()
        if maker.op_type in _MOVING or self._moves(maker):
            return self._far(maker.input[0])
        if maker.op_type == "Concat":
            parts = [self._far(part) for part in maker.input]
            pairs = [part for part in parts if part is not None]
            same = len({(*self._grid_of(pair.node), pair.negated) for pair in pairs}) == 1
            return pairs[0] if len(pairs) == len(parts) and same else None
        return None

    def _is_joined(self, name: str) -> bool:
        """Whether a Concat of tensors that all have a range, but not one, is what a tensor's values come from."""
        maker = self._all_makers.get(name)
        while maker is not None and (maker.op_type in (*_MOVING, NEGATION) or self._moves(maker)):
            maker = self._all_makers.get(maker.input[0])
        if maker is None or maker.op_type != "Concat":
            return False
        return all(self._far(part) is not None or self._is_joined(part) for part in maker.input)

    def _moves(self, node: onnx.NodeProto) -> bool:
        """Whether a padding adds nothing but zeros and copies, and a resizing nothing but copies."""
        said = {a.name: a.s for a in node.attribute}
        if node.op_type == "Resize":
            cropped = said.get("coordinate_transformation_mode") == b"tf_crop_and_resize"
            return said.get("mode", b"nearest") == b"nearest" and not cropped
        if node.op_type != "Pad":
            return False
        mode, value = said.get("mode", b"constant"), node.input[2] if len(node.input) > 2 else ""
        held = self._constants.get(value)
        zero = not value or (held is not None and not self._array(value).any())
        return zero if mode == b"constant" else mode in (b"reflect", b"edge", b"wrap")

    def _grid_of(self, pair: onnx.NodeProto) -> tuple[bytes, bytes]:
        return self._array(pair.input[1]).tobytes(), self._array(pair.input[2]).tobytes()

    def _scales(self, pair: onnx.NodeProto) -> int:
        scale = self._constants.get(pair.input[1])
        return 1 if scale is None else int(np.prod(scale.dims))

    def _repeat(self, name: str, pair: _Pair) -> str:
        if name not in self._repeated:
            stem, source, constants = f"{name}/again", name, list(pair.node.input[1:3])
            if pair.negated:
                source = self._add(NEGATION, [name], f"{stem}/negated", name)
            self._add("QuantizeLinear", [source, *constants], f"{stem}/q", name)
            self._repeated[name] = self._add("DequantizeLinear", [f"{stem}/q", *constants], f"{stem}/dq", name)
        return self._repeated[name]

    def _negate_weights(self, node: onnx.NodeProto) -> bool:
        """Turn the sign of an operand that is int8 weights, if it has no -128."""
        for slot, name in enumerate(node.input[:2]):
            maker = self._makers.get(name)
            if maker is None or maker.input[0] not in self._constants:
                continue
            steps = self._array(maker.input[0])
            if steps.dtype == np.int8 and steps.size and steps.min() > np.iinfo(np.int8).min:
                turned = f"{name}/negated"
                if turned not in self._makers:
                    new = self._onnx.NodeProto.FromString(maker.SerializeToString())
                    new.name, new.output[0], new.input[0] = turned, turned, self._constant(f"{turned}/q", -steps)
                    self._behind.setdefault(name, []).append(new)
                    self._makers[turned] = new
                node.input[slot] = turned
                return True
        return False

    def _negate_result(self, node: onnx.NodeProto) -> None:
        """Turn the sign of the result, and with it that of a bias."""
        if len(node.input) > 2 and node.input[2]:
            bias = node.input[2]
            node.input[2] = turned = f"{bias}/negated"
            if bias in self._constants:
                node.input[2] = self._constant(turned, -self._array(bias))
            elif turned not in self._makers:
                self._add(NEGATION, [bias], turned, bias)
        result, node.output[0] = node.output[0], f"{node.output[0]}/turned"
        self._add(NEGATION, [node.output[0]], result, node.output[0])

    def _floats(self, name: str, pair: _Pair) -> str:
        values = dequantised(pair.node, self._constants)
        return self._constant(f"{name}/float", -values if pair.negated else values)

    def _defer(self) -> None:
        """Take a pair out where only its repetition is read: rounding before or after a transpose is the same."""
        read = Counter(name for node in all_nodes(self._graph) for name in node.input)
        read.update(value.name for value in self._graph.output)
        for name in self._repeated:
            maker, alone = self._makers.get(name), read[name] == 0
            first = maker
            while maker is not None and maker.op_type in _REORDERING:
                first, alone = maker, alone and read[maker.input[0]] == 1
                maker = self._makers.get(maker.input[0])
            if alone and maker is not None and maker.op_type == "DequantizeLinear" and first is not None:
                before = self._makers.get(maker.input[0])
                if before is not None and before.op_type == "QuantizeLinear":
                    self._connect(first, before.input[0])

    def _connect(self, node: onnx.NodeProto, name: str) -> None:
        """Let a node read a tensor; two negations in a row are none."""
        maker = self._makers.get(name)
        if maker is None or maker.op_type != NEGATION or node.op_type != NEGATION:
            node.input[0] = name
            return
        for reader in (*self._graph.node, *(new for nodes in self._behind.values() for new in nodes)):
            reader.input[:] = [maker.input[0] if one == node.output[0] else one for one in reader.input]

    def _array(self, name: str) -> Array:
        array: Array = self._onnx.numpy_helper.to_array(self._constants[name])
        return array

    def _constant(self, name: str, array: Array) -> str:
        """A constant of this graph: one of another loop or branch cannot be read here."""
        while name in self._constants and name not in self._new:
            name += "_"
        if name not in self._new:
            self._new.add(name)
            tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            self._graph.initializer.append(tensor)
            self._constants[name] = tensor
        return name

    def _add(self, kind: str, inputs: list[str], output: str, behind: str) -> str:
        node = self._onnx.helper.make_node(kind, inputs, [output], name=output)
        self._behind.setdefault(behind, []).append(node)
        self._makers[output] = node
        return output
