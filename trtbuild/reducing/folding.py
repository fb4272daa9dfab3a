"""Constant folding: nodes that read only constants become initialisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

MOST_ELEMENTS = 1 << 20  # in a folded result; an expanded constant would make the file larger, not smaller
_NEVER = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial",
          "DequantizeLinear", "QuantizeLinear")  # fmt: skip  # Q/DQ pairs are what TensorRT reads the precision from


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which ONNX Runtime has computed every constant part of the top level."""
    import onnx

    from trtbuild.graphs.graph import drop_unused_initialisers, hoist_constants

    copy: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    hoist_constants(copy.graph)
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}
    for value in copy.graph.input:  # an initialiser that is also an input is only a default
        constants.pop(value.name, None)
    ends = {value.name for value in copy.graph.output}
    kept = []
    for node in copy.graph.node:
        made = _computed(node, constants, copy) if _foldable(node, constants, ends) else None
        if made is None:
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
            continue
        constants |= {tensor.name: tensor for tensor in made}
        copy.graph.initializer.extend(made)
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    drop_unused_initialisers(copy.graph)
    return copy


def _foldable(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], ends: set[str]) -> bool:
    from trtbuild.graphs.graph import subgraphs

    read = [name for name in node.input if name]
    return (
        all(name in constants for name in read) and node.op_type not in _NEVER and not node.domain
        and not subgraphs(node) and not ends.intersection(node.output) and bool(node.output)
    )  # fmt: skip


def _computed(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], model: onnx.ModelProto
) -> list[onnx.TensorProto] | None:
    """The node's results as tensors; None if they cannot be computed or are too large."""
    import onnx

    from trtbuild.base.errors import TrtbuildError
    from trtbuild.reducing.graphvalues import outputs_of

    names = [name for name in node.output if name]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
    weights = [constants[name] for name in dict.fromkeys(n for n in node.input if n)]
    graph = onnx.helper.make_graph([node], "alone", [], outputs, weights)
    alone = onnx.helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    try:
        values = outputs_of(onnx.shape_inference.infer_shapes(alone), {})
    except (TrtbuildError, onnx.shape_inference.InferenceError):
        return None
    if any(getattr(values[name], "size", MOST_ELEMENTS + 1) > MOST_ELEMENTS for name in names):
        return None
    return [onnx.numpy_helper.from_array(values[name], name) for name in names]
