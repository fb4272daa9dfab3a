"""Fake quantisation of TensorFlow sources: read from the exporter's graph, and kept out of its hands.

tf2onnx 1.17 folds weights through it, converts only 8 bits of wide ranges, and makes uint8 of most.  Here it becomes a
placeholder with TensorFlow's own grid, which ``graphs/trained.py`` turns into Q/DQ after the conversion.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trtbuild.base.errors import ExportError
from trtbuild.graphs import grid, trained

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tf2onnx.graph import Graph, Node
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    from trtbuild.arrays.arrayfile import Array

FAKE = ("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D")
KINDS = (*FAKE, *(f"QuantizeAndDequantize{version}" for version in ("", "V2", "V3", "V4")))
HINT = "int8 takes 8 bits, and a range that training has fixed (docs/qat.md)"
BITS = "quantises to {} bits, and int8 has 8"


def is_in(graph_def: GraphDef) -> bool:
    """Whether a graph or a function in it has fake quantisation."""
    bodies = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    return any(node.op in KINDS for body in bodies for node in body)


def refuse_keras(graph_def: GraphDef) -> None:
    """Keras 3's own ``model.quantize``: its products are of int8 tensors whose ranges are new in every call, or float8.

    Raises:
        ExportError: the graph has such products.
    """
    from tensorflow.core.framework import types_pb2

    float8 = {types_pb2.DT_FLOAT8_E4M3FN, types_pb2.DT_FLOAT8_E5M2}
    for node in (*graph_def.node, *(n for function in graph_def.library.function for n in function.node_def)):
        kinds = {node.attr[name].type for name in ("T", "Ta", "Tb", "DstT") if name in node.attr}
        if kinds & float8:
            raise _keras_error(node, "float8", "it computes in float8, scaled anew in every call", "fp8")
        if node.op in _PRODUCTS and types_pb2.DT_INT8 in kinds:
            raise _keras_error(node, "int8", "it multiplies int8 tensors with ranges taken anew in every call", "int8")


def _keras_error(node: NodeDef, mode: str, what: str, precision: str) -> ExportError:
    hint = f"quantise the float model: precision={precision}; or train with fake quantisation (docs/qat.md)"
    whose = f'Keras\'s model.quantize("{mode}") is not imported'
    return ExportError(f"{whose}: {node.op} '{node.name}': {what}", where="export", hint=hint)


def mend() -> None:
    """Make tf2onnx leave fake quantisation to this module; in this process, once."""
    from tf2onnx import tfonnx
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    if tfonnx.rewrite_quantize_and_dequantize is rewrite:
        return
    tfonnx.rewrite_quantize_and_dequantize = rewrite
    fold, handlers = tfonnx.compute_const_folding_using_tf, TransposeOptimizer._initialize_handlers

    def fold_others(graph: tf.Graph, values: object, outputs: Sequence[str]) -> object:
        """What is an output is not folded."""
        kept = [tensor.name for op in graph.get_operations() if op.type in KINDS for tensor in op.outputs]
        return fold(graph, values, [*outputs, *kept])

    def with_ours(self: TransposeOptimizer) -> None:
        handlers(self)
        self._handler_map[trained.KIND] = lambda transpose, node: _pass_transpose(self, transpose, node)

    tfonnx.compute_const_folding_using_tf = fold_others
    TransposeOptimizer._initialize_handlers = with_ours


def _pass_transpose(optimiser: TransposeOptimizer, transpose: Node, node: Node) -> bool:
    if not optimiser._switch_transpose_and_node(node, transpose):
        return False
    if "axis" in node.attr:
        node.set_attr("axis", transpose.get_attr_value("perm")[node.get_attr_value("axis")])
    return True


def rewrite(graph: Graph, nodes: Sequence[Node]) -> Sequence[Node]:
    """A rewriter of tf2onnx; what cannot become int8 stays as it is, and the log says why."""
    for node in list(nodes):
        if node.type not in KINDS:
            continue
        node.skip_conversion = True
        found = _read(graph, node)
        if isinstance(found, str):
            logging.getLogger("tf2onnx").error("%s: it %s", node.name, found)
            continue
        shapes, dtypes = [graph.get_shape(node.output[0])], [graph.get_dtype(node.output[0])]
        name, source, outputs = node.name, node.input[0], node.output
        attributes = trained.attributes(found, len(shapes[0]) if shapes[0] is not None else 0)
        graph.remove_node(name)
        graph.make_node(
            trained.KIND, [source], attr=attributes, outputs=outputs, name=name, shapes=shapes, dtypes=dtypes,
            domain=trained.DOMAIN,
        )  # fmt: skip
    made: Sequence[Node] = graph.get_nodes()
    return made


def _read(graph: Graph, node: Node) -> grid.Grid | str:
    """The grid of an operation, or what keeps it from int8."""
    import numpy as np
    from onnx import TensorProto

    fake, values = node.type in FAKE, [_constant(source) for source in node.inputs]
    bits = node.get_attr_value("num_bits", grid.BITS)
    if node.type == "QuantizeAndDequantizeV3":
        bits = None if values[3] is None else int(values[3])
    if bits != grid.BITS:
        return BITS.format("an unknown number of" if bits is None else bits)
    if graph.get_dtype(node.output[0]) != TensorProto.FLOAT:
        return "computes in another type than float32"
    if node.type == "QuantizeAndDequantize":
        return "is deprecated since TensorFlow 1.0: use tf.quantization.quantize_and_dequantize_v2"
    low: Array | None
    high: Array | None
    shape, axis = graph.get_shape(node.output[0]), None
    last = node.type.endswith("PerChannel")
    if last or (not fake and node.get_attr_value("axis", -1) >= 0):
        if shape is None:
            return "has a range for each channel of a tensor whose rank is not known"
        axis = len(shape) - 1 if last else node.get_attr_value("axis")
    if node.type == "FakeQuantWithMinMaxArgs":
        low, high = (np.array(node.get_attr_value(*end), np.float32) for end in (("min", -6.0), ("max", 6.0)))
    elif fake or node.get_attr_value("range_given", 0):
        low, high = values[1], values[2]
        if low is None or high is None:
            return "has a range that is computed from the data"
    else:
        if values[0] is None:
            return "takes a new range from every tensor: give it the range that was seen in training (range_given)"
        others = tuple(i for i in range(values[0].ndim) if i != axis)
        low, high = values[0].min(axis=others), values[0].max(axis=others)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return "has a range that is not finite"
    if ((low >= high) & ((low != 0) | (high != 0))).any() and (fake or node.get_attr_value("range_given", 0)):
        worst = int(np.argmax(np.reshape(low - high, -1)))
        ends = " to ".join(f"{np.reshape(end, -1)[worst]:g}" for end in (low, high))
        return f"has the range {ends}, whose end is not above its beginning"
    narrow = bool(node.get_attr_value("narrow_range", 0))
    if fake:
        return grid.fake_quant(low, high, narrow=narrow, axis=axis)
    even = node.get_attr_value("round_mode", b"HALF_TO_EVEN") in (b"HALF_TO_EVEN", "HALF_TO_EVEN")
    signed = bool(node.get_attr_value("signed_input", 1))
    return grid.quantise_and_dequantise(low, high, signed=signed, narrow=narrow, axis=axis, even=even)


def _constant(node: Node | None) -> Array | None:
    while node is not None and node.type == "Identity":
        node = node.inputs[0]
    return node.get_tensor_value(as_list=False) if node is not None and node.is_const() else None
