"""Operations that TensorRT's importer reads in another way than ONNX defines them, or ONNX Runtime computes them.

Each rule was seen in the network that the parser of RTX 1.4 to 1.7 makes (docs/agreement.md), beside what ONNX Runtime
1.31 computes.  A rule is about the graph alone; what only the parsed network shows is in trt/rewriting.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from trtbuild.core.complaint import Complaint
from trtbuild.graphs import recurrence, values
from trtbuild.graphs.facts import Facts, integer, integers, real, text
from trtbuild.graphs.graph import all_nodes

if TYPE_CHECKING:
    import onnx

Rule = Callable[["onnx.NodeProto", Facts], str]  # the complaint, or "" for none
_OWN = ("", "ai.onnx")
# Domains whose operations the importer knows itself; ai.onnx.ml and the like have no name in common with ONNX's own.
_KNOWN_DOMAINS = (*_OWN, "com.microsoft", "trt", "trt.plugins", "TRT", "tensorrt")


def refused(model: onnx.ModelProto) -> tuple[Complaint, ...]:
    """Nodes that an engine computes differently for ordinary values; stage "misread"."""
    return (*_shadowed(model), *_found(model, _REFUSED))


def doubtful(model: onnx.ModelProto) -> tuple[Complaint, ...]:
    """Nodes that an engine may compute differently, for some values; stage "misread"."""
    return _found(model, _DOUBTFUL)


def _found(model: onnx.ModelProto, rules: dict[str, Rule]) -> tuple[Complaint, ...]:
    facts = Facts(model)
    found = []
    for node in all_nodes(model.graph):
        rule = rules.get(node.op_type) if node.domain in _OWN else None
        if rule is not None and (words := rule(node, facts)):
            found.append(Complaint(node.name or node.output[0], node.op_type, "misread", words))
    return tuple(found)


def _shadowed(model: onnx.ModelProto) -> list[Complaint]:
    """The importer looks at an operation's name, and not at its domain, nor at a function of that name."""
    foreign = [n for n in all_nodes(model.graph) if n.domain not in _KNOWN_DOMAINS]
    if not foreign:
        return []
    import onnx

    return [
        Complaint(
            node.name or node.output[0], node.op_type, "misread",
            f"it is {node.domain}'s own {node.op_type}, and TensorRT computes ONNX's operation of that name",
        )
        for node in foreign
        if onnx.defs.has(node.op_type)
    ]  # fmt: skip


def _clip(node: onnx.NodeProto, facts: Facts) -> str:
    """A Clip with constant limits is an activation: max(minimum, min(maximum, x)), ONNX's the other way around."""
    if facts.is_integer(node.output[0]):
        return ""
    limits = [facts.constant(name) if name else None for name in [*node.input[1:3]]]
    low = real(node, "min", -math.inf) if len(limits) < 1 or limits[0] is None else float(limits[0].flat[0])
    high = real(node, "max", math.inf) if len(limits) < 2 or limits[1] is None else float(limits[1].flat[0])
    if not low > high:
        return ""
    return f"its minimum {low:g} is above its maximum {high:g}: ONNX gives the maximum, and TensorRT the minimum"


def _global_lp_pool(node: onnx.NodeProto, facts: Facts) -> str:
    power = integer(node, "p", 2)
    if power % 2 == 0 or facts.bounds(node.input[0])[0] >= 0:
        return ""
    return f"p={power}: TensorRT raises values to that power with their sign, and not their absolute values"


def _conv_transpose(node: onnx.NodeProto, facts: Facts) -> str:
    """An odd number of rows to crop: ONNX crops the larger half in front, the importer behind."""
    wanted, source, kernel = integers(node, "output_shape"), facts.shape(node.input[0]), facts.shape(node.input[1])
    if not wanted or text(node, "auto_pad", "NOTSET") != "NOTSET" or source is None or kernel is None:
        return ""
    axes = len(kernel) - 2
    strides, dilations = (integers(node, name) or [1] * axes for name in ("strides", "dilations"))
    extra = integers(node, "output_padding") or [0] * axes
    for axis in range(axes):
        size, window = source[axis + 2], kernel[axis + 2]
        if size is None or window is None:
            continue
        whole = strides[axis] * (size - 1) + extra[axis] + (window - 1) * dilations[axis] + 1
        if (cropped := whole - wanted[axis - axes]) > 0 and cropped % 2:
            return f"output_shape crops {cropped} of {whole}: ONNX crops the odd one in front, and TensorRT behind"
    return ""


def _valid_with_pads(node: onnx.NodeProto, facts: Facts) -> str:
    if text(node, "auto_pad", "NOTSET") != "VALID" or not any(integers(node, "pads")):
        return ""
    return "auto_pad=VALID leaves its pads out in ONNX Runtime, and TensorRT applies them"


def _transposed(node: onnx.NodeProto, facts: Facts) -> str:
    return _valid_with_pads(node, facts) or _conv_transpose(node, facts)


def _bytes_arithmetic(node: onnx.NodeProto, facts: Facts) -> str:
    """Constants of uint8 become int32 in TensorRT, where nothing wraps around."""
    if facts.kind(node.output[0]) != "UINT8":
        return ""
    low, high = facts.unwrapped(node)
    if low >= 0 and high <= 255:
        return ""
    return "uint8 arithmetic wraps around at 255 in ONNX, and TensorRT computes it in int32"


_REFUSED: dict[str, Rule] = {
    "Clip": _clip, "GlobalLpPool": _global_lp_pool, "ConvTranspose": _transposed, "Range": values.other_count,
    **dict.fromkeys(("Conv", "AveragePool", "MaxPool", "LpPool"), _valid_with_pads),
    "LSTM": recurrence.refused, "GRU": recurrence.refused, "RNN": recurrence.refused,
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Pow", "Sum", "Neg", "ReduceSum", "ReduceProd", "ReduceSumSquare", "CumSum"),
        _bytes_arithmetic,
    ),
    "BatchNormalization": values.unusable_normalisation,
}  # fmt: skip
_DOUBTFUL: dict[str, Rule] = {
    "Cast": values.saturates, "OneHot": values.narrowed_indices, "Loop": values.narrowed_trips,
    "Range": values.rounded_count,
    "Pow": values.integers_as_floats, "Shrink": values.integers_as_floats, "Mod": values.remainder,
    "Selu": values.short_constants, "LogSoftmax": values.underflow, "BatchNormalization": values.rounded_normalisation,
    "ScatterND": values.written_twice, "ScatterElements": values.written_twice, "Scatter": values.written_twice,
}  # fmt: skip
