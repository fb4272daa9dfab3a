"""A bfloat16 graph as float32 with explicit roundings, for runtimes that have no bfloat16 arithmetic.

Every bfloat16 result is rounded to bfloat16 and widened again, which is what a bfloat16 kernel that accumulates in
float32 computes.
"""

from __future__ import annotations

from typing import Any

from trtbuild.kit.graph import subgraphs


def has_bfloat16(model: Any) -> bool:
    import onnx

    kind = onnx.TensorProto.BFLOAT16

    def found(graph: Any) -> bool:
        return any(t.data_type == kind for t in graph.initializer) or any(
            any(a.name in ("to", "dtype") and a.i == kind for a in node.attribute)
            or any(found(g) for g in subgraphs(node))
            for node in graph.node
        )

    return found(model.graph)


def emulate(model: Any) -> Any:
    """A float32 copy of ``model`` in which every tensor that was bfloat16 holds a bfloat16 value."""
    import onnx

    from trtbuild.kit.graph import element_types

    low, full = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    types = element_types(model)
    copy = onnx.ModelProto.FromString(model.SerializeToString())

    def widen(tensor: Any) -> None:
        if tensor.data_type == low:
            tensor.CopyFrom(
                onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype("float32"), tensor.name)
            )

    def rewrite(graph: Any) -> None:
        for tensor in graph.initializer:
            widen(tensor)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == low:
                value.type.tensor_type.elem_type = full
        nodes = []
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.name in ("to", "dtype") and attribute.i == low:
                    attribute.i = full
                if attribute.HasField("t"):
                    widen(attribute.t)
            for inner in subgraphs(node):
                rewrite(inner)
            kept = onnx.NodeProto.FromString(node.SerializeToString())
            nodes.append(kept)
            for i, name in enumerate(kept.output):
                if name and types.get(name) == low and not subgraphs(node):
                    exact, rounded = f"{name}/exact", f"{name}/bf16"
                    kept.output[i] = exact
                    nodes.append(onnx.helper.make_node("Cast", [exact], [rounded], to=low))
                    nodes.append(onnx.helper.make_node("Cast", [rounded], [name], to=full))
        del graph.node[:]
        graph.node.extend(nodes)
        del graph.value_info[:]

    rewrite(copy.graph)
    return copy
