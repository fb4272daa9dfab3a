"""Replace the user's numbers in a graph by seeded random ones, wherever the graph still fails with those."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

LONG = 64  # integer tensors with more elements are a table of the user's, not a shape, an axis or a list of indices
# Floats that say how, not what: (operation, inputs).  Random ones make another graph of it.
_STRUCTURE = {
    "Resize": (1, 2), "Upsample": (1,), "Clip": (1, 2), "Pad": (2,), "Range": (0, 1, 2), "OneHot": (1, 2),
    "ConstantOfShape": (0,), "Pow": (1,),
}  # fmt: skip
_PLAIN = {0.0, 1.0, -1.0, 2.0, 0.5, float("inf"), float("-inf")}


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every constant tensor of a graph and its bodies: initialisers and values of Constant nodes."""
    from trtbuild.graphs.graph import subgraphs

    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
        for body in subgraphs(node):
            yield from tensors(body)


def own_values(model: onnx.ModelProto) -> list[int]:
    """Places, in the order of :func:`tensors`, of what may be the user's: weights, tables, texts."""
    how = structural(model.graph)
    return [i for i, tensor in enumerate(tensors(model.graph)) if _is_own(tensor, how)]


def structural(graph: onnx.GraphProto) -> set[str]:
    """Names of constants that say how an operation works: scales of a Resize, bounds of a Clip."""
    from trtbuild.graphs.graph import all_nodes

    return {
        node.input[i]
        for node in all_nodes(graph)
        for i in _STRUCTURE.get(node.op_type, ())
        if i < len(node.input) and node.input[i]
    }


def _is_own(tensor: onnx.TensorProto, structural: set[str]) -> bool:
    import onnx

    if tensor.data_type == onnx.TensorProto.STRING:
        return True
    size = 1
    for dim in tensor.dims:
        size *= dim
    kind = onnx.TensorProto.DataType.Name(tensor.data_type)
    if "FLOAT" in kind or kind == "DOUBLE" or kind.startswith("COMPLEX"):
        return size > 0 and not (tensor.name in structural and size <= LONG)
    return size > (1 if kind in ("INT8", "UINT8", "INT4", "UINT4") else LONG)


def is_plain(tensor: onnx.TensorProto) -> bool:
    """Whether it is one common number, repeated, which reveals nothing about the user."""
    import numpy as np
    import onnx

    if tensor.data_type == onnx.TensorProto.STRING:
        return False
    values = np.unique(onnx.numpy_helper.to_array(tensor).astype(np.float64))
    return bool(values.size <= 1 and all(float(v) in _PLAIN for v in values))


def randomise(tensor: onnx.TensorProto, seed: int) -> None:
    """Replace the numbers in place by others of the same type, shape, signs and power of two."""
    import numpy as np
    import onnx

    if tensor.data_type == onnx.TensorProto.STRING:
        count = len(tensor.string_data)
        tensor.string_data[:] = [f"s{i}".encode() for i in range(count)]
        return
    old = onnx.numpy_helper.to_array(tensor)
    new = drawn(old, seed)
    made = onnx.numpy_helper.from_array(np.ascontiguousarray(new), tensor.name)
    made.data_type = tensor.data_type
    tensor.CopyFrom(made)


def drawn(old: Array, seed: int) -> Array:
    """Random numbers of an array's dtype, shape, signs and magnitude (as a power of two).

    >>> import numpy as np
    >>> bool((drawn(np.full(9, 3.0, np.float32), 0) > 0).all())
    True
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    if old.dtype.kind == "b":
        return rng.integers(0, 2, old.shape).astype(bool)
    wide = np.nan_to_num(old.astype(np.float64), posinf=0, neginf=0)
    if old.dtype.kind in "iu" and old.dtype.itemsize > 1:  # a table of indices: these stay in bounds
        low, high = (int(wide.min()), int(wide.max())) if wide.size else (0, 0)
        return rng.integers(low, high, old.shape, endpoint=True).astype(old.dtype)
    most = float(np.abs(wide).max()) if wide.size else 0.0
    top = 2.0 ** np.ceil(np.log2(most)) if most > 0 else 1.0
    if "int" in old.dtype.name:
        top = min(top, 127.0 if wide.min() < 0 or old.dtype.kind == "i" else 255.0)
    if wide.size and wide.min() > 0:
        new = rng.uniform(0.25 * top, top, old.shape)
    elif wide.size and wide.min() == 0:
        new = rng.uniform(0, top, old.shape)
    else:
        new = rng.uniform(-top, top, old.shape)
    if "int" in old.dtype.name:
        new = np.rint(new)
    return new.astype(old.dtype)


def replaced(model: onnx.ModelProto, places: list[int]) -> onnx.ModelProto:
    """A copy with random numbers at these places."""
    import onnx

    copy: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    wanted = set(places)
    for i, tensor in enumerate(tensors(copy.graph)):
        if i in wanted:
            randomise(tensor, i)
    return copy


def without_values(
    model: onnx.ModelProto, shows: Callable[[onnx.ModelProto], bool], deadline: float
) -> tuple[onnx.ModelProto, list[int]]:
    """The graph with as many of the user's values replaced as the fault allows, and the places of those that remain."""
    import onnx

    places = own_values(model)
    done: list[int] = []
    stay: list[int] = []
    groups = [places] if places else []
    while groups:
        group = groups.pop()
        if time.monotonic() < deadline and shows(replaced(model, [*done, *group])):
            done += group
        elif len(group) == 1:
            stay += group
        elif time.monotonic() < deadline:
            half = len(group) // 2
            groups += [group[half:], group[:half]]
        else:
            stay += group
    copy = replaced(model, done)
    kept = list(tensors(onnx.ModelProto.FromString(copy.SerializeToString()).graph))
    return copy, sorted(place for place in stay if not is_plain(kept[place]))
