"""Where TensorRT's importer silently reads a graph differently from what ONNX states, as seen in the graph.

Quantisation and float64 are here, other operations in graphs/semantics.py.  Both flavours share the parser.  Measured
with RTX 1.7: uint8 Q/DQ, with a zero point of that type or with none (which means uint8 in ONNX), is imported as int8
with the same scale, so that values above half of the range saturate; a zero point that is computed from an input is
dropped; float64 is computed in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trtbuild.core.complaint import Complaint
from trtbuild.graphs import semantics
from trtbuild.graphs.graph import all_graphs, all_nodes, element_types, subgraphs

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

# With zero points of these types, all of them 0, a pair means the same to ONNX and to the importer.
KEPT = ("INT8", "INT4", "FLOAT8E4M3FN", "FLOAT4E2M1")
_UINT8 = 2  # onnx.TensorProto.UINT8
_PAIR = ("QuantizeLinear", "DequantizeLinear")


def misread(model: onnx.ModelProto) -> tuple[Complaint, ...]:
    """The nodes that an engine would compute differently, subgraphs included; stage "misread"."""
    return (*_quantisation(model), *semantics.refused(model))


def doubtful(model: onnx.ModelProto) -> tuple[Complaint, ...]:
    """The nodes that an engine may compute differently, for some values; stage "misread"."""
    return (*narrowed(model), *semantics.doubtful(model))


def _quantisation(model: onnx.ModelProto) -> tuple[Complaint, ...]:
    nodes = [node for node in all_nodes(model.graph) if node.op_type in _PAIR]
    if not nodes:
        return ()
    constants = dict(_constants(model.graph))
    types = element_types(model) | {name: tensor.data_type for name, tensor in constants.items()}
    fed = _computed(model.graph)
    found: dict[str, Complaint] = {}
    told: set[str] = set()  # what a named QuantizeLinear makes: its other half is misread by the same fault
    for node in nodes:
        words = _fault(node, types, constants, fed)
        if words and node.input[0] not in told:
            found.setdefault(node.name or node.output[0], Complaint(node.name, node.op_type, "misread", words))
        if words and node.op_type == "QuantizeLinear":
            told.update(node.output)
    return tuple(found.values())


def _fault(node: onnx.NodeProto, types: dict[str, int], constants: dict[str, onnx.TensorProto], fed: set[str]) -> str:
    kind, absent = _quantised_type(node, types)
    name = _name(kind)
    point = node.input[2] if len(node.input) > 2 else ""
    if kind and name not in KEPT:
        name = name.lower()
        without = " (no zero point and no output_dtype mean that)" if absent else ""
        if name == "uint8":
            name += f"{without}: TensorRT reads int8 with the same scale, and the upper half of the range saturates"
        return f"it {'quantises to' if node.op_type == _PAIR[0] else 'dequantises'} {name}"
    if point in constants:
        values = _values(constants[point])
        if values is not None and values.any():
            return f"its zero point is {next(value for value in values.flat if value):g}, and TensorRT has only 0"
    elif point in fed:
        return "its zero point is computed from an input: TensorRT takes 0"
    if any(a.name == "saturate" and a.i == 0 for a in node.attribute) and "FLOAT8" in name:
        return "saturate=0 makes large values NaN, and TensorRT saturates"
    return ""


def _quantised_type(node: onnx.NodeProto, types: dict[str, int]) -> tuple[int, bool]:
    """The type between the two halves of a pair by ONNX's rules (0: unknown), and whether it is uint8 by default."""
    if node.op_type == "DequantizeLinear":
        return types.get(node.input[0], 0), False
    if len(node.input) > 2 and node.input[2]:
        return types.get(node.input[2], 0), False
    stated = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
    return int(stated) or _UINT8, not stated


def _name(kind: int) -> str:
    import onnx

    return str(onnx.TensorProto.DataType.Name(kind))


def _values(tensor: onnx.TensorProto) -> Array | None:
    """None for a tensor whose values are in another file."""
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    return onnx.numpy_helper.to_array(tensor).astype("float32")


def _constants(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for part in all_graphs(graph):
        yield from ((tensor.name, tensor) for tensor in part.initializer)
    for node in all_nodes(graph):
        value = next((a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"), None)
        if value is not None:
            yield node.output[0], value


def _computed(graph: onnx.GraphProto) -> set[str]:
    """Tensors that depend on an input of the graph or of one of its bodies."""
    found: set[str] = set()
    for part in all_graphs(graph):
        constants = {tensor.name for tensor in part.initializer}
        found |= {value.name for value in part.input} - constants
    for node in all_nodes(graph):
        if any(name in found for name in node.input) or subgraphs(node):
            found.update(node.output)
    return found


def narrowed(model: onnx.ModelProto) -> tuple[Complaint, ...]:
    """Nodes whose float64 results an engine computes in float32."""
    import onnx

    double = onnx.TensorProto.DOUBLE
    attributes = [attribute for node in all_nodes(model.graph) for attribute in node.attribute]
    kinds = {tensor.data_type for part in all_graphs(model.graph) for tensor in part.initializer}
    kinds |= {value.type.tensor_type.elem_type for value in model.graph.input}
    kinds |= {kind for a in attributes for kind in ((a.i,) if a.name in ("to", "dtype") else (a.t.data_type,))}
    if double not in kinds:  # nothing that inference, which is slow, could find
        return ()
    types = element_types(model)
    return tuple(
        Complaint(node.name, node.op_type, "misread", "float64 is computed in float32")
        for node in all_nodes(model.graph)
        if node.op_type != "Constant" and any(types.get(name) == double for name in node.output)
    )
