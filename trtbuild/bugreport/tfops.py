"""ONNX operations as TensorFlow code that exports to them, for a report's build_tf_graph.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Attributes = Mapping[str, Any]
_UNARY = {
    "Abs": "tf.abs", "Acos": "tf.acos", "Acosh": "tf.acosh", "Asin": "tf.asin", "Asinh": "tf.asinh", "Atan": "tf.atan",
    "Atanh": "tf.atanh", "Ceil": "tf.math.ceil", "Cos": "tf.cos", "Cosh": "tf.cosh", "Det": "tf.linalg.det",
    "Elu": "tf.nn.elu", "Erf": "tf.math.erf", "Exp": "tf.exp", "Floor": "tf.floor", "Identity": "tf.identity",
    "IsInf": "tf.math.is_inf", "IsNaN": "tf.math.is_nan", "Log": "tf.math.log", "Neg": "tf.negative",
    "Not": "tf.logical_not", "Reciprocal": "tf.math.reciprocal", "Relu": "tf.nn.relu", "Round": "tf.round",
    "Selu": "tf.nn.selu", "Sigmoid": "tf.sigmoid", "Sign": "tf.sign", "Sin": "tf.sin", "Sinh": "tf.sinh",
    "Softplus": "tf.nn.softplus", "Softsign": "tf.nn.softsign", "Sqrt": "tf.sqrt", "Tan": "tf.tan", "Tanh": "tf.tanh",
    "Shape": "tf.shape", "Size": "tf.size",
}  # fmt: skip
_BINARY = {
    "Add": "tf.add", "Sub": "tf.subtract", "Mul": "tf.multiply", "Div": "tf.divide", "MatMul": "tf.matmul",
    "Pow": "tf.pow", "And": "tf.logical_and", "Or": "tf.logical_or", "Equal": "tf.equal", "Less": "tf.less",
    "LessOrEqual": "tf.less_equal", "Greater": "tf.greater", "GreaterOrEqual": "tf.greater_equal",
    "Expand": "tf.broadcast_to",
    "Tile": "tf.tile", "Reshape": "tf.reshape", "Min": "tf.minimum", "Max": "tf.maximum",
    "BitwiseAnd": "tf.bitwise.bitwise_and",
    "BitwiseOr": "tf.bitwise.bitwise_or", "BitwiseXor": "tf.bitwise.bitwise_xor",
}  # fmt: skip
_REDUCE = {
    "ReduceMax": "tf.reduce_max", "ReduceMean": "tf.reduce_mean", "ReduceMin": "tf.reduce_min",
    "ReduceProd": "tf.reduce_prod", "ReduceSum": "tf.reduce_sum",
}  # fmt: skip


def code(op: str, inputs: Sequence[str], attributes: Attributes, rank: int | None) -> str | None:
    """An expression; None if the table has none for the operation with these attributes.

    Args:
        inputs: expressions, "" for an omitted one; rank: of the first input.
    """
    if op in _UNARY and len(inputs) == 1 and not attributes:
        return f"{_UNARY[op]}({inputs[0]})"
    if op in _BINARY and len(inputs) == 2 and not attributes.get("allowzero"):
        return f"{_BINARY[op]}({inputs[0]}, {inputs[1]})"
    if op in _REDUCE:
        axes = list(attributes.get("axes", ())) or (inputs[1] if len(inputs) > 1 and inputs[1] else None)
        return f"{_REDUCE[op]}({inputs[0]}, axis={axes}, keepdims={bool(attributes.get('keepdims', 1))})"
    special = _SPECIAL.get(op)
    return special(inputs, attributes, rank) if special else None


def _nchw(call: str, source: str) -> str:
    """Channels last for TensorFlow's kernels; the exporter transposes them back."""
    return f"tf.transpose({call.format(f'tf.transpose({source}, [0, 2, 3, 1])')}, [0, 3, 1, 2])"


def _conv(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
    pads, strides = list(a.get("pads", [0] * 4)), list(a.get("strides", [1, 1]))
    if rank != 4 or a.get("group", 1) != 1 or a.get("auto_pad", "NOTSET") != "NOTSET":
        return None
    top, left, bottom, right = pads
    padding = f"[[0, 0], [{top}, {bottom}], [{left}, {right}], [0, 0]]"
    weights, dilations = f"tf.transpose({inputs[1]}, [2, 3, 1, 0])", list(a.get("dilations", [1, 1]))
    call = f"tf.nn.conv2d({{}}, {weights}, {strides}, {padding}, dilations={dilations})"
    bias = f"tf.nn.bias_add({call}, {inputs[2]})" if len(inputs) > 2 and inputs[2] else call
    return _nchw(bias, inputs[0])


def _pool(function: str) -> Callable[[Sequence[str], Attributes, int | None], str | None]:
    def made(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
        plain = not any(a.get("pads", ())) and not a.get("ceil_mode") and set(a.get("dilations", [1])) == {1}
        if rank != 4 or not plain or a.get("auto_pad", "NOTSET") != "NOTSET":
            return None
        window, strides = list(a["kernel_shape"]), list(a.get("strides", [1, 1]))
        return _nchw(f"{function}({{}}, {window}, {strides}, 'VALID')", inputs[0])

    return made


def _cast(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
    import onnx

    name = onnx.helper.tensor_dtype_to_np_dtype(a["to"]).name
    return f"tf.cast({inputs[0]}, '{name}')"


def _axis(function: str, default: int) -> Callable[[Sequence[str], Attributes, int | None], str | None]:
    return lambda inputs, a, rank: f"{function}({inputs[0]}, axis={a.get('axis', default)})"


def _cumsum(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
    how = f"exclusive={bool(a.get('exclusive', 0))}, reverse={bool(a.get('reverse', 0))}"
    return f"tf.cumsum({inputs[0]}, axis={inputs[1]}, {how})"


def _topk(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
    if rank is None or a.get("axis", -1) not in (-1, rank - 1) or not a.get("largest", 1):
        return None
    return f"tf.math.top_k({inputs[0]}, tf.reshape(tf.cast({inputs[1]}, 'int32'), []))"


def _gather(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
    return f"tf.gather({inputs[0]}, {inputs[1]}, axis={a.get('axis', 0)})"


def _scatter_nd(inputs: Sequence[str], a: Attributes, rank: int | None) -> str | None:
    function = {"none": "update", "add": "add", "max": "max", "min": "min"}.get(a.get("reduction", "none"))
    return function and f"tf.tensor_scatter_nd_{function}({inputs[0]}, {inputs[1]}, {inputs[2]})"


_SPECIAL: Mapping[str, Callable[[Sequence[str], Attributes, int | None], str | None]] = {
    "Conv": _conv,
    "MaxPool": _pool("tf.nn.max_pool2d"),
    "AveragePool": _pool("tf.nn.avg_pool2d"),
    "Cast": _cast,
    "Softmax": _axis("tf.nn.softmax", -1),
    "LogSoftmax": _axis("tf.nn.log_softmax", -1),
    "Concat": lambda i, a, r: f"tf.concat([{', '.join(i)}], {a['axis']})",
    "Transpose": lambda i, a, r: f"tf.transpose({i[0]}, {list(a['perm']) if 'perm' in a else None})",
    "Where": lambda i, a, r: f"tf.where({i[0]}, {i[1]}, {i[2]})",
    "Gather": _gather,
    "GatherND": lambda i, a, r: f"tf.gather_nd({i[0]}, {i[1]}, batch_dims={a.get('batch_dims', 0)})",
    "ScatterND": _scatter_nd,
    "CumSum": _cumsum,
    "TopK": _topk,
    "LeakyRelu": lambda i, a, r: f"tf.nn.leaky_relu({i[0]}, {a.get('alpha', 0.01)!r})",
    "Clip": lambda i, a, r: f"tf.clip_by_value({i[0]}, {i[1]}, {i[2]})" if len(i) == 3 and i[1] and i[2] else None,
    "NonZero": lambda i, a, r: f"tf.transpose(tf.where(tf.not_equal({i[0]}, tf.zeros([], ({i[0]}).dtype))))",
    "Unsqueeze": lambda i, a, r: f"tf.expand_dims({i[0]}, int({i[1]}[0]))" if len(i) == 2 else None,
    "Squeeze": lambda i, a, r: f"tf.squeeze({i[0]}, [int(d) for d in {i[1]}])" if len(i) == 2 else None,
    "Mod": lambda i, a, r: f"tf.truncatemod({i[0]}, {i[1]})" if a.get("fmod") else f"tf.math.floormod({i[0]}, {i[1]})",
    "Einsum": lambda i, a, r: f"tf.einsum('{a['equation']}', {', '.join(i)})",
    "BitShift": lambda i, a, r: f"tf.bitwise.{'left' if a['direction'] == 'LEFT' else 'right'}_shift({i[0]}, {i[1]})",
}
