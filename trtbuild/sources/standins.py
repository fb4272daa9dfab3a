"""Large weights stay out of TensorFlow's graphs until they are in ONNX; a number stands in for each.

TensorFlow copies every constant at every step (19 times from the function to the optimised graph of ConvNeXtTiny).  A
constant whose elements are all equal takes only one number there, so each weight gets its own number and is found again
by it.  Only what cannot be folded before the run is replaced: operands of products and convolutions with an
input that is not constant.  What is not found again (the optimiser has computed with it) stays in full.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import tensorflow as tf
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.types.experimental import ConcreteFunction

    from trtbuild.arrays.arrayfile import Array

LARGE_BYTES = 1 << 16
_PASS = "Identity"
# Grappler evaluates these when all operands are constant, and otherwise asks at most whether one is all 0 or all 1.
_PRODUCTS = frozenset(
    ("Conv2D", "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative", "MatMul", "BatchMatMul", "BatchMatMulV2",
     "BatchMatMulV3", "GatherV2")
)  # fmt: skip


@dataclass(frozen=True)
class _Uniform:
    """One number for a whole shape, as TensorFlow's converter takes an array: its TensorProto holds that number."""

    shape: tuple[int, ...]
    dtype: np.dtype
    number: float

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        import numpy as np

        return np.full([1], self.number, dtype or self.dtype)


@dataclass(frozen=True)
class StandIns:
    """``weights``: number -> shape and bytes of the float32 weight that it stands for."""

    weights: dict[float, tuple[tuple[int, ...], bytes]] = field(default_factory=dict)

    def of(self, array: Array) -> Array | _Uniform:
        """What goes into a graph for an array: itself, or a stand-in."""
        import numpy as np

        if array.dtype != np.float32 or array.nbytes < LARGE_BYTES or (array == array.flat[0]).all():
            return array
        return _Uniform(array.shape, array.dtype, self._keep(array.shape, array.tobytes()))

    def hide(self, graph_def: GraphDef) -> None:
        """Replace the large constants that a graph has already; in place."""
        import numpy as np
        from tensorflow.core.framework import types_pb2

        for node in graph_def.node:
            if node.op == "Const" and node.attr["dtype"].type == types_pb2.DT_FLOAT:
                tensor = node.attr["value"].tensor
                content = tensor.tensor_content
                if len(content) >= LARGE_BYTES and len(np.unique(np.frombuffer(content, np.float32)[:64])) > 1:
                    tensor.float_val.append(self._keep(_dims(tensor), content))
                    tensor.ClearField("tensor_content")

    def _keep(self, shape: tuple[int, ...], content: bytes) -> float:
        """A unique number in (1, 2), exact in float32, far from what arithmetic makes of others."""
        number = 1 + ((len(self.weights) + 1) * 2654435761 % 2**23) / 2**23
        self.weights[number] = (shape, content)
        return number

    def safe(self, graph_def: GraphDef) -> set[float]:
        """Those that only products read, and that cannot be evaluated before the run."""
        nodes = {node.name: node for node in graph_def.node}
        held = {name: number for name, node in nodes.items() if (number := self._number(node)) is not None}
        changed = True
        while changed:  # nodes come in any order
            found = {
                name: held[source]
                for name, node in nodes.items()
                if name not in held and node.op == _PASS and (source := _operands(node)[0]) in held
            }
            held |= found
            changed = bool(found)
        left = set(self.weights)
        constant = _constant(nodes)
        for name, node in nodes.items():
            read = {held[source] for source in _operands(node) if source in held}
            if read and name not in held and (node.op not in _PRODUCTS or name in constant):
                left -= read
        return left & set(held.values())

    def found(self, graph_def: GraphDef) -> dict[str, float]:
        """Constant -> number, of all stand-ins in a graph."""
        return {node.name: number for node in graph_def.node if (number := self._number(node)) is not None}

    def reveal(self, graph_def: GraphDef, keep: Collection[float] = ()) -> None:
        """Put weights back, all but ``keep``; in place."""
        for node in graph_def.node:
            number = self._number(node)
            if number is not None and number not in keep:
                self.fill(node, number)

    def fill(self, node: NodeDef, number: float) -> None:
        tensor = node.attr["value"].tensor
        tensor.ClearField("float_val")
        tensor.tensor_content = self.weights[number][1]

    def _number(self, node: NodeDef) -> float | None:
        if node.op != "Const":
            return None
        tensor = node.attr["value"].tensor
        number = tensor.float_val[0] if len(tensor.float_val) == 1 and not tensor.tensor_content else None
        return number if number in self.weights and self.weights[number][0] == _dims(tensor) else None


@dataclass(frozen=True)
class FrozenGraph:
    """What a function computes, with the shapes of all tensors; names of the tensors that it takes and returns."""

    graph_def: GraphDef
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def freeze(function: ConcreteFunction, stand_ins: StandIns) -> FrozenGraph:
    """``convert_variables_to_constants_v2``, with stand-ins for large variables, and without the function.

    ``lower_control_flow``: the default leaves TensorList operations of an LSTM behind, silently (tf2onnx 1.17).
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants as converter

    class Data(converter._FunctionConverterDataInEager):  # type: ignore[misc]
        def _eval(self, tensor: tf.Tensor) -> Array | _Uniform:
            value = super()._eval(tensor)
            return stand_ins.of(value) if hasattr(tensor, "handle") else value  # what is captured is copied by numpy

    data = Data(function, lower_control_flow=False, aggressive_inlining=True)
    graph_def, converted = converter._replace_variables_by_constants(data)
    captured = {function.graph.internal_captures[index].name for index in converted}
    given = [tensor for tensor in function.inputs if tensor.name not in captured and tensor.dtype != tf.resource]
    inputs, outputs = tuple(t.name for t in given), tuple(t.name for t in function.outputs)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        for tensor in given:  # an import forgets a scalar's shape
            graph.get_tensor_by_name(tensor.name).set_shape(tensor.shape)
        shaped = graph.as_graph_def(add_shapes=True)
    ends = dict.fromkeys(name.partition(":")[0] for name in (*inputs, *outputs))
    return FrozenGraph(tf.compat.v1.graph_util.extract_sub_graph(shaped, list(ends)), inputs, outputs)


def write(graph_def: GraphDef, weights: Mapping[str, bytes], path: Path) -> None:
    """The bytes of ``graph_def`` with its weights in it, one node after another: fields of a message may be joined."""
    rest = type(graph_def)()
    rest.CopyFrom(graph_def)
    del rest.node[:]
    with path.open("wb") as file:
        for node in graph_def.node:
            whole = type(graph_def)()
            whole.node.append(node)
            if node.name in weights:
                tensor = whole.node[0].attr["value"].tensor
                tensor.ClearField("float_val")
                tensor.tensor_content = weights[node.name]
            file.write(whole.SerializeToString(deterministic=True))
        file.write(rest.SerializeToString(deterministic=True))


def _constant(nodes: Mapping[str, NodeDef]) -> set[str]:
    """Names of nodes that depend only on constants."""
    found = {name for name, node in nodes.items() if node.op == "Const"}
    changed = True
    while changed:
        new = {
            name
            for name, node in nodes.items()
            if name not in found and (operands := _operands(node)) and all(operand in found for operand in operands)
        }
        found |= new
        changed = bool(new)
    return found


def _operands(node: NodeDef) -> list[str]:
    """Names of the nodes whose values it reads; those it only waits for do not count."""
    return [tensor.partition(":")[0] for tensor in node.input if not tensor.startswith("^")]


def _dims(tensor: TensorProto) -> tuple[int, ...]:
    return tuple(dim.size for dim in tensor.tensor_shape.dim)
