"""Variables to stand-ins: a frozen GraphDef that has the build's operations and almost none of its bytes.

What a variable holds before training is not a guide (beta = 0 and gamma = 1 fold away, trained ones do not), so small
ones become constants of arbitrary values, but for ranges of fake quantisation (``fakeranges.py``); large ones become
placeholders, which turn into weights after the export.
Needs TensorFlow; works in its own graph and touches no session, random state or default graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from trtbuild.checker import fakeranges
from trtbuild.checker.subgraph import Subgraph, VariableSpec, add_reading, add_variable

if TYPE_CHECKING:
    import numpy.typing as npt
    from tensorflow.core.framework.graph_pb2 import GraphDef

    from trtbuild.arrays.arrayfile import Array

# Constants up to this total are really made, so that folding goes as in a build; the rest costs nothing.
REAL_BYTES = 16 << 20
_HANDLE = "/trt_checker_handle"


@dataclass(frozen=True)
class FrozenSubgraph:
    """``inputs`` and ``outputs``: TensorFlow tensor -> clean name; ``weights``: placeholder tensor -> what it holds."""

    graph_def: GraphDef
    inputs: dict[str, str]
    outputs: dict[str, str]
    weights: dict[str, VariableSpec]


class _Splat:
    """One value for a whole shape, as TensorFlow's converter takes it: its TensorProto holds one number."""

    def __init__(self, held: VariableSpec) -> None:
        self.shape = held.shape
        self._held = held

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        import numpy as np

        return np.ones([1], dtype or np.float32)


def freeze(part: Subgraph) -> FrozenSubgraph:
    """Inline functions, replace variables, and optimise as the build does (``sources/tfonnx.py``).

    Raises:
        ExportError: TensorFlow cannot.
    """
    try:
        return _freeze(part)
    except Exception as error:  # in many ways, as in a build
        from trtbuild.sources.randomness import not_frozen

        raise not_frozen(error, part.graph_def) from error


def _freeze(part: Subgraph) -> FrozenSubgraph:
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants as converter
    from tf2onnx import tf_loader

    from trtbuild.sources.inlining import allow_inlining, inline_functions

    inputs, outputs = list(part.inputs.values()), list(part.outputs.values())
    allow_inlining(part.graph_def)
    graph_def = part.graph_def
    if graph_def.library.function:
        graph_def = inline_functions(graph_def, [*inputs, *outputs])
    data = converter._ConverterData(graph_def)
    for node in graph_def.node:
        held = part.variables.get(node.name)
        if held is not None:
            data.tensor_data[node.name] = converter._TensorData(_Splat(held), held.dtype, None)
    if data.tensor_data:
        graph_def, _ = converter._replace_variables_by_constants(data)
    graph_def = tf_loader.fix_freezing_errors_part2(graph_def)
    ranges = fakeranges.values(graph_def, part)
    weights = _fill(graph_def, part.variables, ranges)
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        graph_def = tf_loader.tf_optimize([*inputs, *(f"{name}:0" for name in weights)], outputs, graph_def)
    _open(graph_def, weights)
    clean = {tensor: name for name, tensor in part.inputs.items()}
    clean_outputs = {t: f"{name}_output" if name in part.inputs else name for name, t in part.outputs.items()}
    present = {node.name for node in graph_def.node}
    return FrozenSubgraph(
        graph_def, clean, clean_outputs, {f"{n}:0": held for n, held in weights.items() if n in present}
    )


def _fill(
    graph_def: GraphDef, variables: Mapping[str, VariableSpec], ranges: Mapping[str, Array]
) -> dict[str, VariableSpec]:
    """Give the smallest variables values and return the others, which are still read from variables.

    Those must not be placeholders yet: grappler makes arrays of zeros for all placeholders of known shape.
    """
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    left, weights = REAL_BYTES, {}
    nodes = {node.name: node for node in graph_def.node if node.name in variables and node.op == "Const"}
    for name in sorted(nodes, key=lambda name: (_bytes(variables[name]), name)):
        held, node = variables[name], nodes[name]
        dtype = tf.dtypes.as_dtype(held.dtype)
        left -= _bytes(held)
        if dtype.is_floating and left >= 0:
            values = ranges.get(name, rng.uniform(0.5, 1.5, held.shape)).astype(dtype.as_numpy_dtype)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values, dtype, held.shape))
        elif dtype.is_floating:
            weights[name] = held
    if weights:
        kept = [type(node).FromString(node.SerializeToString()) for node in graph_def.node if node.name not in weights]
        del graph_def.node[:]
        graph_def.node.extend(kept)
    for name, held in weights.items():
        add_variable(graph_def, name + _HANDLE, held)
        add_reading(graph_def, name, name + _HANDLE, held)
    return weights


def _open(graph_def: GraphDef, weights: Mapping[str, VariableSpec]) -> None:
    """Large weights become placeholders, for the exporter; in place."""
    import tensorflow as tf

    kept = [
        type(node).FromString(node.SerializeToString())
        for node in graph_def.node
        if node.name.removesuffix(_HANDLE) not in weights or not node.name.endswith(_HANDLE)
    ]
    for node in kept:
        if node.name in weights:
            held = weights[node.name]
            node.op = "Placeholder"
            del node.input[:]
            node.attr.pop("_output_shapes", None)
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(held.shape).as_proto())
    del graph_def.node[:]
    graph_def.node.extend(kept)


def _bytes(held: VariableSpec) -> int:
    import tensorflow as tf

    return prod(held.shape) * int(tf.dtypes.as_dtype(held.dtype).size)
