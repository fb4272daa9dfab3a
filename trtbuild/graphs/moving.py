"""Operations that move the elements of a tensor and compute nothing, applied to an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array


def moved_array(node: onnx.NodeProto, array: Array, constants: Mapping[str, onnx.TensorProto]) -> Array | None:
    """What a node makes of its first input; None where it does more than move it, or is told how by the data."""
    import onnx

    held = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    told = constants.get(node.input[1]) if len(node.input) > 1 else None
    said = None if told is None else onnx.numpy_helper.to_array(told).reshape(-1).tolist()
    if node.op_type == "Identity":
        return array
    if node.op_type == "Transpose":
        return array.transpose(held.get("perm"))
    if node.op_type == "Reshape" and said is not None and not held.get("allowzero"):
        return array.reshape([array.shape[i] if size == 0 else size for i, size in enumerate(said)])
    if node.op_type in ("Squeeze", "Unsqueeze") and (axes := held.get("axes", said)) is not None:
        if node.op_type == "Squeeze":
            return array.squeeze(tuple(axes))
        import numpy as np

        return np.expand_dims(array, tuple(axes))
    return None
