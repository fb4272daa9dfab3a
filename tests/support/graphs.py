"""Tiny ONNX graphs written as text, and running them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime

from trtbuild.graphs.graph import all_nodes

Array = np.ndarray[Any, Any]


def graph(text: str, *, opset: int = 17, **constants: Any) -> onnx.ModelProto:
    """``inputs => outputs { nodes }`` as a model: ``graph("float[2] x => float[2] y { y = Mul(x, w) }", w=[1, 2])``.

    Constants become float32 initialisers (unless they are numpy arrays), nodes are named by type and place.
    """
    inputs, _, rest = text.partition("=>")
    outputs, _, body = rest.partition("{")
    header = f'<ir_version: 8, opset_import: ["": {opset}]>'
    model = onnx.parser.parse_model(f"{header} test ({inputs}) => ({outputs}) {{ {body}")
    for name, value in constants.items():
        array = value if isinstance(value, np.ndarray) else np.array(value, np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for i, node in enumerate(nodes(model)):
        node.name = node.name or f"{node.op_type}_{i}"
    return model


def nodes(model: Any) -> list[Any]:
    """All nodes, those of loop bodies and branches after their owner."""
    return list(all_nodes(model.graph))


def node(model: Any, op_type: str, name: str = "") -> Any:
    (found,) = [n for n in nodes(model) if n.op_type == op_type and name in ("", n.name)]
    return found


def constants(model: Any) -> dict[str, Array]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(model.SerializeToString())


def run(model: onnx.ModelProto, **feeds: Any) -> dict[str, Array]:
    """Outputs by name, computed as the graph says (no fusion)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
