"""Weights of several graphs, each kept once: graphs without their weights, and the blobs from which these are remade.

A float32 number whose lower 16 bits are zero is a bfloat16 number, and a float16 number may be one too.  Tensors of
such numbers are kept as bfloat16, so that the float32 and the float16 graph of one network share their blobs.  The
bytes of a blob are sorted by significance (all lowest bytes first), which makes them compress better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.documents.selftest import Codec, StoredWeight

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

FEWEST_BYTES = 1024  # smaller initializers stay in the graph
ALIGNMENT = 64


def take_out(model: onnx.ModelProto, data: str, blobs: dict[str, bytes]) -> list[StoredWeight]:
    """Replace the model's large initializers by references to the file ``data``, in place; their bytes go to ``blobs``.

    ``blobs`` is by SHA-256.  :func:`remade` makes the file's content from the returned list.
    """
    import onnx
    from onnx import numpy_helper

    stored: list[StoredWeight] = []
    end = 0
    for tensor in model.graph.initializer:
        if not tensor.dims or (tensor.data_type == onnx.TensorProto.STRING):
            continue
        array = numpy_helper.to_array(tensor)
        if array.nbytes < FEWEST_BYTES or array.dtype.name not in _KNOWN:
            continue
        codec, content = encoded(array)
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        offset = -(-end // ALIGNMENT) * ALIGNMENT
        end = offset + array.nbytes
        stored.append(
            {"of": digest, "codec": codec, "dtype": array.dtype.name, "offset": offset, "length": array.nbytes}
        )
        _refer(tensor, data, offset, array.nbytes)
    return stored


_KNOWN = ("float32", "float16", "int8", "uint8", "int32", "int64")


def _refer(tensor: onnx.TensorProto, data: str, offset: int, length: int) -> None:
    import onnx

    for name in ("raw_data", "float_data", "int32_data", "int64_data"):
        tensor.ClearField(name)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in {"location": data, "offset": str(offset), "length": str(length)}.items():
        tensor.external_data.add(key=key, value=value)


def encoded(array: Array) -> tuple[Codec, bytes]:
    """The shortest of the two codecs, and the bytes."""
    if array.dtype in (np.float32, np.float16):
        halves = np.ascontiguousarray(array, np.float32).view(np.uint32)
        upper = (halves >> 16).astype(np.uint16)
        if np.array_equal(_widened(upper).astype(array.dtype).view(np.uint8), _bytes(array)):
            return "bfloat16", _by_significance(upper)
    return "raw", _by_significance(array)


def decoded(content: bytes, codec: Codec, dtype: str) -> bytes:
    """The little-endian bytes of the tensor, as the graph's data file has them."""
    if codec == "raw":
        return _by_element(content, np.dtype(dtype).itemsize)
    upper = np.frombuffer(_by_element(content, 2), np.uint16)
    return _widened(upper).astype(dtype).tobytes()


def remade(stored: Iterable[StoredWeight], blobs: Mapping[str, bytes]) -> bytes:
    """The content of a graph's data file."""
    content = bytearray()
    for weight in stored:
        content.extend(bytes(weight["offset"] - len(content)))
        content.extend(decoded(blobs[weight["of"]], weight["codec"], weight["dtype"]))
    return bytes(content)


def rounded(model: onnx.ModelProto) -> None:
    """Round the model's large float32 initializers to bfloat16 numbers that float16 holds too, in place.

    To the nearest float16 number first, so that the smallest ones are the same in both; then to bfloat16, ties to even.
    """
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor) if tensor.data_type == tensor.FLOAT else np.zeros(0, np.float32)
        if array.nbytes >= FEWEST_BYTES:
            with np.errstate(over="ignore"):
                half = array.astype(np.float16).astype(np.float32)
            bits = np.where(np.isfinite(half), half, array).view(np.uint32)
            nearest = (bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)) & np.uint32(0xFFFF0000)
            tensor.CopyFrom(numpy_helper.from_array(nearest.view(np.float32), tensor.name))


def _widened(upper: Array) -> Array:
    return (upper.astype(np.uint32) << 16).view(np.float32)


def _bytes(array: Array) -> Array:
    return np.ascontiguousarray(array).view(np.uint8)


def _by_significance(array: Array) -> bytes:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()


def _by_element(content: bytes, itemsize: int) -> bytes:
    return np.frombuffer(content, np.uint8).reshape(itemsize, -1).T.tobytes()
