"""Smaller sizes for a graph that fails at any size: a size is replaced everywhere it occurs, weights included."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from trtbuild.reducing import weights

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

SMALL = (2, 4, 8)  # tried in this order; 1 would be a special case of many operations
LEAST = 4  # sizes up to this stay


def smaller(model: onnx.ModelProto, shows: Callable[[onnx.ModelProto], bool], deadline: float) -> onnx.ModelProto:
    """The graph with inputs and weights as small as the fault allows; resized weights get new random values."""
    for size in _sizes(model):
        for small in SMALL:
            if small >= size or time.monotonic() > deadline:
                break
            candidate = with_size(model, size, small)
            if candidate is not None and shows(candidate):
                model = candidate
                break
    return model


def _sizes(model: onnx.ModelProto) -> list[int]:
    """Sizes that occur, largest first."""
    found = {d.dim_value for value in model.graph.input for d in value.type.tensor_type.shape.dim}
    found |= {d for tensor in weights.tensors(model.graph) for d in tensor.dims}
    return sorted((size for size in found if size > LEAST), reverse=True)


def with_size(model: onnx.ModelProto, size: int, small: int) -> onnx.ModelProto | None:
    """A copy with ``small`` in place of ``size`` everywhere; None if that is not a valid graph."""
    import numpy as np
    import onnx

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for value in copy.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value == size:
                dim.dim_value = small
    for place, tensor in enumerate(weights.tensors(copy.graph)):
        if tensor.data_type == onnx.TensorProto.STRING:
            continue
        array = onnx.numpy_helper.to_array(tensor)
        shape = tuple(small if d == size else d for d in array.shape)
        if shape != array.shape:
            first = array.ravel()[: int(np.prod(shape))].reshape(shape)
            tensor.CopyFrom(_tensor(weights.drawn(first, place), tensor))
        elif array.dtype.kind == "i" and array.dtype.itemsize > 1 and (array == size).any():
            tensor.CopyFrom(_tensor(np.where(array == size, small, array).astype(array.dtype), tensor))
    for value in copy.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    del copy.graph.value_info[:]
    return valid(copy)


def _tensor(array: Array, like: onnx.TensorProto) -> onnx.TensorProto:
    import onnx

    made = onnx.numpy_helper.from_array(array, like.name)
    made.data_type = like.data_type
    return made


def valid(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The model with inferred output shapes; None if it is not valid ONNX or its shapes do not fit."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(inferred)
    except Exception:  # errors of the checker and of shape inference have no common base class
        return None
    del inferred.graph.value_info[:]
    return inferred
