"""Large weights in an ONNX graph without their bytes: initialisers whose data are all in one empty file.

What the exporter does to a weight (transpose, reshape, cast) it left as nodes, since it saw an input; these are folded
here by shape alone, so that a convolution reads an initialiser again, as it does in a build.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

FILE = "weights.bin"  # sparse: zeros that take no disk space
# TensorRT maps the file and knows weights by their address, so each needs its own place.
_PAGE = 4096


@dataclass(frozen=True)
class Weight:
    dtype: int  # onnx.TensorProto.DataType
    shape: tuple[int, ...]


def settle(model: onnx.ModelProto, weights: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Turn the graph inputs named in ``weights`` into initialisers, and write the file that belongs beside the model.

    Args:
        weights: graph input -> shape; their dtypes are those of the inputs.
    """
    import onnx

    from trtbuild.graphs.graph import all_nodes

    graph = model.graph
    values = {value.name: value for value in graph.input}
    known = {name: Weight(values[name].type.tensor_type.elem_type, shape) for name, shape in weights.items()}
    rest = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in graph.input if v.name not in known]
    del graph.input[:]
    graph.input.extend(rest)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    kept = []
    for node in graph.node:
        made = _fold(node, known, constants)
        if made is None or node.output[0] in outputs:
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
        else:
            known[node.output[0]] = made
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in all_nodes(graph) for name in node.input} | outputs
    end = 0
    for name, weight in known.items():
        if name in used:
            tensor, size = _initialiser(name, weight, end)
            end += -(-size // _PAGE) * _PAGE
            graph.initializer.append(tensor)
    if end:
        with (folder / FILE).open("wb") as file:
            os.truncate(file.fileno(), end)


def _initialiser(name: str, weight: Weight, offset: int) -> tuple[onnx.TensorProto, int]:
    import onnx

    size = prod(weight.shape) * onnx.helper.tensor_dtype_to_np_dtype(weight.dtype).itemsize
    tensor = onnx.TensorProto(name=name, data_type=weight.dtype, dims=weight.shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", FILE), ("offset", str(offset)), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)
    return tensor, size


def _fold(
    node: onnx.NodeProto, known: Mapping[str, Weight], constants: Mapping[str, onnx.TensorProto]
) -> Weight | None:
    """What a node makes of a weight, if the shape tells; None for any other node."""
    if not node.input or node.input[0] not in known:
        return None
    weight = known[node.input[0]]
    attributes = {a.name: a for a in node.attribute}
    if node.op_type == "Identity":
        return weight
    if node.op_type == "Cast":
        return Weight(attributes["to"].i, weight.shape)
    if node.op_type == "Transpose":
        order = list(attributes["perm"].ints) if "perm" in attributes else list(reversed(range(len(weight.shape))))
        return Weight(weight.dtype, tuple(weight.shape[i] for i in order))
    if node.op_type == "Reshape" and node.input[1] in constants:
        shape = _reshaped(weight.shape, _values(constants[node.input[1]]))
        return None if shape is None else Weight(weight.dtype, shape)
    if node.op_type in ("Squeeze", "Unsqueeze"):
        axes = _axes(node, attributes, constants)
        if axes is None:
            return None
        if node.op_type == "Squeeze":
            dropped = {axis % len(weight.shape) for axis in axes}
            return Weight(weight.dtype, tuple(d for i, d in enumerate(weight.shape) if i not in dropped))
        shape_list, rank = list(weight.shape), len(weight.shape) + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            shape_list.insert(axis, 1)
        return Weight(weight.dtype, tuple(shape_list))
    return None


def _reshaped(old: tuple[int, ...], wanted: list[int]) -> tuple[int, ...] | None:
    shape = [old[i] if d == 0 and i < len(old) else d for i, d in enumerate(wanted)]
    if shape.count(-1) == 1 and (known := prod(d for d in shape if d != -1)):
        shape[shape.index(-1)] = prod(old) // known
    return tuple(shape) if prod(shape) == prod(old) and -1 not in shape else None


def _axes(
    node: onnx.NodeProto, attributes: Mapping[str, onnx.AttributeProto], constants: Mapping[str, onnx.TensorProto]
) -> list[int] | None:
    if "axes" in attributes:
        return list(attributes["axes"].ints)
    if len(node.input) > 1 and node.input[1] in constants:
        return _values(constants[node.input[1]])
    return None


def _values(tensor: onnx.TensorProto) -> list[int]:
    import onnx

    return [int(value) for value in onnx.numpy_helper.to_array(tensor).reshape(-1)]
