"""Whether the network that TensorRT's importer made has the types and shapes that ONNX states, tensor by tensor.

Measured on 629 graphs of the suite with RTX 1.7: where both name a tensor they agree, but for what is exempt here and
for uint8 Q/DQ, which is refused before (graphs/misreadings.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.core.complaint import Complaint
from trtbuild.graphs.graph import all_nodes, inferred, subgraphs

if TYPE_CHECKING:
    import onnx

# In ONNX and in TensorRT.  float64 is a warning of its own (misreadings.narrowed); every uint8 fits an int32.
_EXEMPT = {("float64", "float32"), ("uint8", "int32")}


@dataclass(frozen=True)
class TensorKind:
    """Type and shape; a dimension that is not known before the engine runs is None, and so is an unknown rank."""

    type: str
    shape: tuple[int | None, ...] | None


def disagreements(model: onnx.ModelProto, imported: Mapping[str, TensorKind]) -> tuple[Complaint, ...]:
    """The nodes whose results the importer made something else of; stage "misread".

    What only follows from another node's disagreement is left out.

    Args:
        imported: the tensors of TensorRT's network, by the names that they have in the graph.
    """
    stated = _stated(inferred(model))
    differs = {name: said for name, kind in imported.items() if name in stated and (said := _fault(stated[name], kind))}
    if not differs:
        return ()
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found: list[Complaint] = []
    for node in all_nodes(model.graph):
        for name in node.output:
            follows = any(source in differs for source in node.input)
            if name not in differs or follows:
                continue
            if node.op_type != "Resize" or not _rounds(node, stated, imported[name], constants):
                found.append(Complaint(node.name or name, node.op_type, "misread", differs[name]))
    return tuple(found)


def _stated(graph: onnx.GraphProto) -> dict[str, TensorKind]:
    found: dict[str, TensorKind] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.HasField("tensor_type"):
            tensor = value.type.tensor_type
            dims = tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim)
            found[value.name] = TensorKind(dtype_name(tensor.elem_type), dims if tensor.HasField("shape") else None)
    for node in graph.node:
        for body in subgraphs(node):
            found |= _stated(body)
    return found


def _fault(stated: TensorKind, imported: TensorKind) -> str:
    if stated.type and stated.type != imported.type and (stated.type, imported.type) not in _EXEMPT:
        return f"its result is {stated.type} in the graph, and {imported.type} in TensorRT's network"
    if stated.shape is None or imported.shape is None:
        return ""
    known = [(a, b) for a, b in zip(stated.shape, imported.shape, strict=False) if a is not None and b is not None]
    if len(stated.shape) == len(imported.shape) and all(a == b for a, b in known):
        return ""
    return (
        f"its result has shape {_shown(stated.shape)} in the graph, and {_shown(imported.shape)} in TensorRT's network"
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _rounds(
    node: onnx.NodeProto, stated: Mapping[str, TensorKind], imported: TensorKind,
    constants: Mapping[str, onnx.TensorProto],
) -> bool:  # fmt: skip
    """Whether ONNX's inference only lost a pixel of a Resize: 5 times 2.6 as float32 is 12.9999998, and not 13."""
    import onnx

    scales, source = constants.get(node.input[2] if len(node.input) > 2 else ""), stated.get(node.input[0])
    if scales is None or source is None or source.shape is None or imported.shape is None:
        return False
    values = onnx.numpy_helper.to_array(scales).tolist()
    if not len(values) == len(source.shape) == len(imported.shape):
        return False
    pairs = zip(source.shape, values, imported.shape, strict=True)
    return all(size is None or made is None or abs(size * scale - made) < 1e-5 * made or int(size * scale) == made
               for size, scale, made in pairs)  # fmt: skip


def dtype_name(kind: int) -> str:
    """NumPy's name of an onnx.TensorProto.DataType, as TensorRT's types are called here; "" for none.

    >>> dtype_name(10), dtype_name(17), dtype_name(0)
    ('float16', 'float8', '')
    """
    import onnx

    if kind == onnx.TensorProto.UNDEFINED:
        return ""
    name: str = onnx.helper.tensor_dtype_to_np_dtype(kind).name
    return {"float8_e4m3fn": "float8", "float4_e2m1fn": "float4"}.get(name, name)


_FLOATS = ("float16", "bfloat16", "float32")


def together(operands: Sequence[str]) -> str:
    """The type that a convolution or product of these computes in; weights alone may be stored in a lower one.

    Where one operand alone is int8 it is dequantised, and the other's type counts.

    >>> together(["int8", "int8"]), together(["float16", "int4"]), together(["int8", "float16"])
    ('int8', 'float16 with int4 weights', 'float16')
    """
    if len(set(operands)) == 1:
        return operands[0]
    if "int8" in operands and len(others := set(operands) - {"int8"}) == 1 and (other := min(others)) in _FLOATS:
        return other
    first, *rest = operands
    weights_only = first.startswith(("float16", "float32", "bfloat")) and rest in (["int4"], ["float4"])
    return f"{first} with {rest[0]} weights" if weights_only else "mixed"
