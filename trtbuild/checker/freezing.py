"""Variables to stand-ins: a frozen GraphDef that has the build's operations and almost none of its bytes.

What a variable holds before training is no guide (beta = 0 and gamma = 1 fold away, trained ones do not), so small ones
become constants of arbitrary values; large ones become placeholders, which turn into weights behind the exporter.
Needs TensorFlow; works in a graph of its own and touches no session, no random state and no default graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from trtbuild.checker.subgraph import Held, Subgraph

# Constants up to this sum are made for real, so that folding goes as in a build; the rest costs nothing.
REAL_BYTES = 16 << 20


@dataclass(frozen=True)
class Frozen:
    """``inputs`` and ``outputs``: TensorFlow tensor -> clean name; ``weights``: placeholder tensor -> what it holds."""

    graph_def: Any
    inputs: dict[str, str]
    outputs: dict[str, str]
    weights: dict[str, Held]


class _Splat:
    """One value for a whole shape, as TensorFlow's converter takes it: its TensorProto holds one number."""

    def __init__(self, held: Held) -> None:
        self.shape = held.shape
        self._held = held

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.ones([1], dtype or np.float32)


def freeze(part: Subgraph) -> Frozen:
    """Inline functions, replace variables, and optimise as the build does (``kit.tfonnx``)."""
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants as converter
    from tf2onnx import tf_loader

    from trtbuild.kit.tfonnx import allow_inlining, inline_functions

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
    weights = _fill(graph_def, part.variables, part.large)
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        graph_def = tf_loader.tf_optimize([*inputs, *weights], outputs, graph_def)
    clean = {tensor: name for name, tensor in part.inputs.items()}
    clean_outputs = {t: f"{name}_output" if name in part.inputs else name for name, t in part.outputs.items()}
    return Frozen(graph_def, clean, clean_outputs, weights)


def _fill(graph_def: Any, variables: Mapping[str, Held], large: Mapping[str, Held]) -> dict[str, Held]:
    """Give the smallest variables values and make placeholders of the others; tensor -> what it holds."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    left = REAL_BYTES
    nodes = {node.name: node for node in graph_def.node if node.name in variables and node.op == "Const"}
    weights = {f"{name}:0": held for name, held in large.items()}
    for name, node in sorted(nodes.items(), key=lambda pair: (_bytes(variables[pair[0]]), pair[0])):
        held = variables[name]
        dtype = tf.dtypes.as_dtype(held.dtype)
        left -= _bytes(held)
        if dtype.is_floating and left < 0:
            weights[f"{name}:0"] = held
            node.Clear()
            node.name, node.op = name, "Placeholder"
            node.attr["dtype"].type = held.dtype
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(held.shape).as_proto())
        elif dtype.is_floating:
            values = rng.uniform(0.5, 1.5, held.shape).astype(dtype.as_numpy_dtype)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values, dtype, held.shape))
    return weights


def _bytes(held: Held) -> int:
    import tensorflow as tf

    return prod(held.shape) * int(tf.dtypes.as_dtype(held.dtype).size)
