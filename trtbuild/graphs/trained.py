"""Fake quantisation as Q/DQ: a placeholder node with its grid, and the pairs that it becomes behind the exporter.

The exporter sees one operation of a foreign domain, so that it neither folds weights through it nor moves its halves.
A grid that int8 holds becomes int8.  TensorFlow puts the zero of a symmetric range at 128, or at 127 where float32
falls to the other side of the half, as for -1 to 1: its steps -127 to 128 are int8's with the other sign, so a pair
stands between two negations.  Any other grid becomes uint8, which ONNX Runtime computes as TensorFlow does and
``graphs/symmetric.py`` turns into int8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs.graph import all_graphs, drop_unused_initialisers, producers, subgraphs
from trtbuild.graphs.grid import Grid
from trtbuild.graphs.moving import moved_array
from trtbuild.graphs.qdq import weight_axis

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

DOMAIN, KIND = "trtbuild", "FakeQuantisation"  # tf2onnx drops the domain in branches
NEGATION = "Neg"
# The operands that decide in which precision an operation computes; any other reader gets the values as floats.
OPERATIONS, OPERANDS = ("Conv", "ConvTranspose", "MatMul", "Gemm"), 2
STAND_IN = "weight/"  # inputs of these names are weights whose values are not there, in a check
NOT_NEGATIVE = ("Relu", "Sigmoid", "Softmax", "Softplus", "Abs", "Exp", "HardSigmoid")


def attributes(grid: Grid, rank: int) -> dict[str, object]:
    """The grid as attributes of the placeholder."""
    made: dict[str, object] = {
        "scale": grid.scale.tolist(), "inverse": grid.inverse.tolist(), "low": grid.low.tolist(),
        "high": grid.high.tolist(), "even": int(grid.even), "rank": rank,
    }  # fmt: skip
    return made if grid.axis is None else {**made, "axis": grid.axis}


def write_pairs(model: onnx.ModelProto) -> dict[str, str]:
    """Turn every placeholder of a graph and its bodies into Q/DQ, in place.

    Returns:
        operations whose range looks as if it was never trained, and why.
    """
    graphs = list(all_graphs(model.graph))
    if not any(node.op_type == KIND for graph in graphs for node in graph.node):
        return {}
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    doubts: dict[str, str] = {}
    for graph in reversed(graphs):  # inner ones first: their nodes are copied with the outer ones
        writer = _Writer(graph, constants)
        writer.run()
        doubts |= writer.doubts
    for graph in graphs:
        drop_unused_initialisers(graph)
    return doubts


@dataclass(frozen=True)
class _Weight:
    """Quantised weights on their way to a reader: whole steps, a zero point and a scale for every element.

    ``negated``: the steps are of the weights with the other sign.
    """

    op: str
    negated: bool
    steps: Array
    zero: Array
    scale: Array


class _Writer:
    def __init__(self, graph: onnx.GraphProto, constants: Mapping[str, onnx.TensorProto]) -> None:
        import onnx

        self._onnx, self._graph, self._constants = onnx, graph, constants
        self._weights: dict[str, _Weight] = {}
        self._made: dict[tuple[str, int | None], str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._names: set[str] = set()
        self.doubts: dict[str, str] = {}
        self._stand_ins = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in graph.input
            if value.name.startswith(STAND_IN)
        }
        self._makers = producers(graph)
        bodies = [inner for node in graph.node for body in subgraphs(node) for inner in all_graphs(body)]
        self._kept = {value.name for value in graph.output}  # what has to be there under its own name
        self._kept |= {name for body in bodies for node in body.node for name in node.input}
        self._kept |= {value.name for body in bodies for value in body.output}

    def run(self) -> None:
        for original in list(self._graph.node):
            node = self._onnx.NodeProto.FromString(original.SerializeToString())
            if node.op_type == KIND:
                self._placeholder(node)
            elif not (node.input and node.input[0] in self._weights and self._moved(node)):
                for slot, name in enumerate(node.input):
                    if name in self._weights:
                        node.input[slot] = self._weight(name, node, slot)
                self._nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)

    def _placeholder(self, node: onnx.NodeProto) -> None:
        held = {a.name: self._onnx.helper.get_attribute_value(a) for a in node.attribute}
        scale, inverse = (np.array(held[name], np.float32) for name in ("scale", "inverse"))
        low, high = (np.array(held[name], np.int64) for name in ("low", "high"))
        grid = Grid(scale, inverse, low, high, held.get("axis"), bool(held["even"]))
        if grid.doubt:
            self.doubts[node.name] = grid.doubt
        array = self._values(node.input[0])
        if array is None:
            self._activation(node, grid, held["rank"])
            return
        steps = grid.quantise(array)
        low, high = (grid.low, grid.high) if node.input[0] in self._stand_ins else (steps.min(), steps.max())
        kind, negated = replace(grid, low=low, high=high).storage
        zero = grid.zero_point if kind is np.uint8 else np.zeros_like(grid.low)
        zeros, scales = (np.broadcast_to(grid.spread(part, array.ndim), array.shape) for part in (zero, grid.scale))
        quantised = ((-steps if negated else steps) + zeros).astype(kind)
        self._take(node.output[0], _Weight(node.name, negated, quantised, zeros.astype(kind), scales))

    def _values(self, name: str) -> Array | None:
        """Of a constant; zeros for weights that a check stands in for."""
        if name in self._constants:
            array: Array = self._onnx.numpy_helper.to_array(self._constants[name])
            return array
        shape = self._stand_ins.get(name)
        return None if shape is None else np.broadcast_to(np.float32(0), shape)

    def _moved(self, node: onnx.NodeProto) -> bool:
        """Take weights through an operation that only moves them."""
        held = self._weights[node.input[0]]
        moved = [moved_array(node, part, self._constants) for part in (held.steps, held.zero, held.scale)]
        parts = [part for part in moved if part is not None]
        if len(parts) == len(moved):
            self._take(node.output[0], _Weight(held.op, held.negated, *parts))
        return len(parts) == len(moved)

    def _take(self, name: str, weight: _Weight) -> None:
        self._weights[name] = weight
        if name in self._kept:
            self._nodes.append(self._onnx.helper.make_node("Identity", [self._weight(name)], [name], name=name))

    def _weight(self, name: str, reader: onnx.NodeProto | None = None, slot: int = 0) -> str:
        """What a reader of weights reads: the end of a DequantizeLinear, or floats where it computes in no precision.

        Floats, too, where one scale for each output channel does not describe them (any more).
        """
        held = self._weights[name]
        axis: int | None = None
        if reader is not None and reader.op_type in OPERATIONS and slot < OPERANDS and held.steps.ndim > 1:
            axis = weight_axis(reader, slot, held.steps.ndim)
        scale, zero = (None, None) if axis is None else (_along(held.scale, axis), _along(held.zero, axis))
        if scale is None or zero is None:
            stem = f"{name}/trained"
            floats = (held.steps.astype(np.float32) - held.zero) * held.scale * (-1 if held.negated else 1)
            return self._once((name, None), lambda: self._constant(stem, floats.astype(np.float32)))
        if (scale == scale[0]).all() and (zero == zero[0]).all():
            scale, zero, axis = scale[0], zero[0], None

        def make() -> str:
            stem = f"{held.op}/{'weights' if axis is None else f'axis{axis}'}"
            while stem in self._names:
                stem += "_"
            self._names.add(stem)
            parts = {"q": held.steps, "scale": scale, "zero_point": zero}
            inputs = [self._constant(f"{stem}/{part}", array) for part, array in parts.items()]
            made = self._node("DequantizeLinear", held.op, inputs, f"{stem}/dq", axis=axis)
            return self._node(NEGATION, held.op, [made], f"{stem}/negated") if held.negated else made

        return self._once((name, -1 if axis is None else axis), make)

    def _once(self, key: tuple[str, int | None], make: Callable[[], str]) -> str:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _activation(self, node: onnx.NodeProto, grid: Grid, rank: int) -> None:
        op, name, output = node.name, node.input[0], node.output[0]
        kind, negated = grid.storage
        if negated:
            grid = grid.mirrored()
            name = self._node(NEGATION, op, [name], f"{op}/negated")
        zero = grid.zero_point if kind is np.uint8 else np.zeros_like(grid.low)
        limits, maker = np.iinfo(kind), self._makers.get(name)
        positive = maker is not None and maker.op_type in NOT_NEGATIVE and bool((grid.low <= 0).all())
        shape = [] if grid.axis is None else [-1, *[1] * (rank - 1 - grid.axis)]
        for clip, steps, needed in (
            ("Max", grid.low, (grid.low + zero > limits.min).any() and not positive),
            ("Min", grid.high, (grid.high + zero < limits.max).any()),
        ):
            if needed:
                bound = self._constant(f"{op}/{clip}", (steps * grid.scale).astype(np.float32).reshape(shape))
                name = self._node(clip, op, [name, bound], f"{op}/{clip}ed")
        flat = () if grid.axis is None else grid.scale.shape
        pair = [
            self._constant(f"{op}/scale", grid.scale.reshape(flat)),
            self._constant(f"{op}/zero_point", zero.astype(kind).reshape(flat)),
        ]
        quantised = self._node("QuantizeLinear", op, [name, *pair], f"{op}/q", axis=grid.axis)
        made = f"{op}/dq" if negated else output
        self._node("DequantizeLinear", op, [quantised, *pair], made, axis=grid.axis)
        if negated:
            self._node(NEGATION, op, [made], output)

    def _constant(self, name: str, array: Array | np.generic) -> str:
        contiguous = np.ascontiguousarray(array).reshape(array.shape)
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(contiguous, name))
        return name

    def _node(self, kind: str, op: str, inputs: list[str], output: str, axis: int | None = None) -> str:
        """Named after the operation that it comes from, as the exporter would (``graphs/scopes.py``)."""
        name = f"{op}_{kind}"
        while name in self._names:
            name += "_"
        self._names.add(name)
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output], name=name, axis=axis))
        return output


def _along(values: Array, axis: int) -> Array | None:
    """One value for each index of the axis; None where they differ along another."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    least = values.min(axis=others)
    return least if (least == values.max(axis=others)).all() else None
