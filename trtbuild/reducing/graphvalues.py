"""Values of a graph's tensors, as ONNX Runtime computes them on the CPU; low precisions round every result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trtbuild.base.errors import ModelError

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

MOST_BYTES = 2 << 30  # of all tensors together


def outputs_of(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """The graph's outputs; raises ModelError where ONNX Runtime cannot load or run it."""
    import onnxruntime

    from trtbuild.runtimes.onnxruntime import session_of

    onnxruntime.set_default_logger_severity(
        3
    )  # its warnings are about the model, and would be repeated for every piece
    session = session_of(model, "the graph", quiet=True)
    return session.run({name: value for name, value in feeds.items() if name in session.inputs})


def everything(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor of the top level by name, with the inputs; {} if the graph cannot be run or is too large."""
    import onnx

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    have = {value.name for value in copy.graph.output}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in have:
                copy.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
                have.add(name)
    try:
        copy = onnx.shape_inference.infer_shapes(copy, data_prop=True)
        if _bytes(copy.graph) > MOST_BYTES:
            return {}
        return {**feeds, **outputs_of(copy, feeds)}
    except Exception:  # an operation unknown to the runtime, a graph that defeats shape inference
        return {}


def _bytes(graph: onnx.GraphProto) -> int:
    """The size of all outputs with a known shape, at four bytes per element."""
    import math

    shapes = ([d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.output)
    return sum(4 * math.prod(shape) for shape in shapes)


def annotate(model: onnx.ModelProto, tensors: Mapping[str, Array]) -> None:
    """Add observed types and shapes to the graph, for tensors about which shape inference knows too little."""
    import numpy as np
    import onnx

    known = {value.name for value in (*model.graph.input, *model.graph.output)}
    del model.graph.value_info[:]
    for name, value in tensors.items():
        if name not in known and isinstance(value, np.ndarray) and value.dtype.kind != "O":
            kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            model.graph.value_info.append(onnx.helper.make_tensor_value_info(name, kind, value.shape))


def random_feeds(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]], seed: int = 0) -> dict[str, Array]:
    """Seeded numbers for every input: floats in (-1, 1), integers from 0 to 4."""
    import numpy as np
    import onnx

    rng = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    feeds: dict[str, Array] = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        kind = value.type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else 1 for d in kind.shape.dim]
        shape = tuple(shapes.get(value.name, dims))
        if kind.elem_type == onnx.TensorProto.STRING:
            feeds[value.name] = np.full(shape, "text", object)
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if dtype.kind in "iu":
            feeds[value.name] = rng.integers(0, 4, shape, endpoint=True).astype(dtype)
        elif dtype.kind == "b":
            feeds[value.name] = rng.integers(0, 2, shape).astype(bool)
        else:
            feeds[value.name] = rng.uniform(-1, 1, shape).astype(dtype)
    return feeds


class Runner:
    """Whether a piece of a graph still runs, since a fault of an invalid graph would be another fault.

    ``tensors``: values of the whole graph's tensors, for pieces that begin at one of them.
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._tensors = dict(tensors)

    def __call__(self, model: onnx.ModelProto) -> bool:
        return any(not runs(model, feeds)[1] for feeds in self._choices(model))

    def indices(self, model: onnx.ModelProto) -> dict[str, Array]:
        """Small integer inputs: they point at something that exists, which random ones may not."""
        feeds = self._choices(model)[0]
        return {name: value for name, value in feeds.items() if value.dtype.kind in "iub" and value.size <= 64}

    def _choices(self, model: onnx.ModelProto) -> list[dict[str, Array]]:
        drawn = random_feeds(model, {})
        known = {n: v for n, v in self._tensors.items() if n in drawn and v.shape == drawn[n].shape}
        return [{**drawn, **known}, *tame(drawn)]


def tame(drawn: Mapping[str, Array]) -> list[dict[str, Array]]:
    """These inputs, and the same with zeros for integers, since a random index may be out of bounds."""
    zeros = {name: value * 0 if value.dtype.kind in "iu" else value for name, value in drawn.items()}
    return [dict(drawn), zeros]


def runs(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """The outputs and "", or no outputs and the reason."""
    try:
        return outputs_of(model, feeds), ""
    except ModelError as error:
        return {}, str(error)
