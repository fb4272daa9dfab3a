"""The range of values that each tensor of an ONNX graph can have, as far as the operations alone bound it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trtbuild.graphs.graph import all_graphs, all_nodes, element_types

if TYPE_CHECKING:
    import onnx

Bounds = tuple[float, float]  # lowest and highest value
UNBOUNDED: Bounds = (-math.inf, math.inf)
_INDEX: Bounds = (0, 2**31 - 1)  # positions and sizes: TensorRT's dimensions have 31 bits
_MOST_ELEMENTS = 1 << 22  # larger constants are weights, whose range nothing here depends on

# Operations whose results are values of their first input, or between them.
_KEEPS = frozenset((
    "AveragePool", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
    "GlobalAveragePool", "GlobalMaxPool", "Identity", "MaxPool", "ReduceMax", "ReduceMean", "ReduceMin", "Reshape",
    "ReverseSequence", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze",
))  # fmt: skip
_FIXED: dict[str, Bounds] = {
    "ArgMax": _INDEX, "ArgMin": _INDEX, "Shape": _INDEX, "Size": _INDEX, "NonZero": _INDEX,
    "Sigmoid": (0, 1), "HardSigmoid": (0, 1), "Softmax": (0, 1), "Hardmax": (0, 1),
    "Tanh": (-1, 1), "Softsign": (-1, 1), "Sin": (-1, 1), "Cos": (-1, 1), "Erf": (-1, 1), "Sign": (-1, 1),
}  # fmt: skip


def bounds(model: onnx.ModelProto, types: dict[str, int] | None = None) -> dict[str, Bounds]:
    """Lowest and highest value by tensor name, subgraphs included; what is not bounded has its type's range."""
    types = element_types(model) if types is None else types
    found: dict[str, Bounds] = {}
    for graph in all_graphs(model.graph):
        for tensor in graph.initializer:
            found[tensor.name] = _of_constant(tensor)
    for node in all_nodes(model.graph):
        if node.op_type in ("Loop", "Scan", "If"):  # what a body carries from step to step is not followed
            continue
        value = next((a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"), None)
        for index, name in enumerate(node.output):
            own = range_of(types.get(name, 0))
            if value is not None:
                found[name] = _of_constant(value)
                continue
            given = [found.get(one, range_of(types.get(one, 0))) if one else None for one in node.input]
            low, high = _result(node, given, index)
            # An integer result that may leave its type wraps around, to anywhere in it.
            inside = own[0] <= low and high <= own[1]
            found[name] = (low, high) if inside else own
    return found


def unwrapped(node: onnx.NodeProto, found: dict[str, Bounds], types: dict[str, int]) -> Bounds:
    """The range of a node's first result, if its type had no limits."""
    given = [found.get(one, range_of(types.get(one, 0))) if one else None for one in node.input]
    return _result(node, given, 0)


def range_of(kind: int) -> Bounds:
    """Of an onnx.TensorProto.DataType: that of an integer type, all numbers for any other.

    >>> range_of(3), range_of(9), range_of(1)
    ((-128.0, 127.0), (0.0, 1.0), (-inf, inf))
    """
    import onnx

    name = onnx.TensorProto.DataType.Name(kind)
    if name == "BOOL":
        return 0.0, 1.0
    digits = name.removeprefix("U").removeprefix("INT")
    if not digits.isdigit():
        return UNBOUNDED
    bits = int(digits)
    return (0.0, 2.0**bits - 1) if name.startswith("U") else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def _of_constant(tensor: onnx.TensorProto) -> Bounds:
    import numpy as np
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.data_type == onnx.TensorProto.STRING:
        return range_of(tensor.data_type)
    if not 0 < math.prod(tensor.dims) <= _MOST_ELEMENTS:
        return range_of(tensor.data_type)
    values = onnx.numpy_helper.to_array(tensor).astype(np.float64)
    return (float(values.min()), float(values.max())) if np.isfinite(values).all() else UNBOUNDED


def _result(node: onnx.NodeProto, given: Sequence[Bounds | None], index: int) -> Bounds:
    kind = node.op_type
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == "TopK" and index == 1:
        return _INDEX
    known = [one for one in given if one is not None]
    if not known:
        return UNBOUNDED
    first = known[0]
    if kind in _KEEPS:
        return first
    if kind in ("Concat", "Where"):
        values = known[1:] if kind == "Where" else known
        return min(low for low, _ in values), max(high for _, high in values)
    if kind == "Clip":
        return _clipped(node, given, first)
    if kind == "Cast":
        return first
    made = _ARITHMETIC.get(kind)
    if made is None:
        return UNBOUNDED
    result = made(first, known[1] if len(known) > 1 else first)
    return UNBOUNDED if any(map(math.isnan, result)) else result


def _clipped(node: onnx.NodeProto, given: Sequence[Bounds | None], first: Bounds) -> Bounds:
    """Minimum and maximum are inputs, or attributes before opset 11."""
    limits = {a.name: a.f for a in node.attribute}
    low, high = limits.get("min", -math.inf), limits.get("max", math.inf)
    if len(given) > 1 and given[1] is not None:
        low = given[1][0]
    if len(given) > 2 and given[2] is not None:
        high = given[2][1]
    return min(max(first[0], low), high), min(max(first[1], low), high)


def _corners(of: Callable[[float, float], float]) -> Callable[[Bounds, Bounds], Bounds]:
    def made(a: Bounds, b: Bounds) -> Bounds:
        values = [of(x, y) for x in a for y in b]
        return (math.nan, math.nan) if any(map(math.isnan, values)) else (min(values), max(values))

    return made


def _divided(a: Bounds, b: Bounds) -> Bounds:
    return UNBOUNDED if b[0] <= 0 <= b[1] else _corners(lambda x, y: x / y)(a, b)


def _absolute(a: Bounds, _: Bounds) -> Bounds:
    return (0 if a[0] <= 0 <= a[1] else min(map(abs, a))), max(map(abs, a))


def _rounded(a: Bounds, _: Bounds) -> Bounds:
    return a[0] if math.isinf(a[0]) else math.floor(a[0]), a[1] if math.isinf(a[1]) else math.ceil(a[1])


def _remainder(_: Bounds, b: Bounds) -> Bounds:
    most = max(map(abs, b))
    return -most, most


_ARITHMETIC: dict[str, Callable[[Bounds, Bounds], Bounds]] = {
    "Add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "Sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "Mul": _corners(lambda x, y: 0.0 if 0 in (x, y) else x * y),
    "Div": _divided,
    "Max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "Min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "Mod": _remainder,
    "Abs": _absolute,
    "Neg": lambda a, _: (-a[1], -a[0]),
    "Relu": lambda a, _: (max(a[0], 0.0), max(a[1], 0.0)),
    "Floor": _rounded, "Ceil": _rounded, "Round": _rounded,
}  # fmt: skip
