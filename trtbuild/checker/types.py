"""Element types that TensorRT has not: where a graph first makes one, since it names any node of that type, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# By name in onnx.TensorProto; all others (strings, complex numbers, doubles, unsigned and 16 bit integers) are foreign.
KNOWN = ("FLOAT", "FLOAT16", "BFLOAT16", "INT8", "INT32", "INT64", "BOOL", "FLOAT8E4M3FN", "FLOAT4E2M1", "INT4")
SIGNS = ("date type", "data type", "importInitializers", "UINT8")  # "date" is TensorRT's own spelling


def foreign(kind: int) -> bool:
    import onnx

    return kind not in {getattr(onnx.TensorProto, name) for name in KNOWN if hasattr(onnx.TensorProto, name)}


def introduced(model: onnx.ModelProto, kinds: Mapping[str, int]) -> tuple[list[onnx.NodeProto], set[str]]:
    """Nodes that make a foreign type of others, and names of the nodes that read one which a node made.

    Args:
        kinds: tensor -> element type; what is not there counts as known.
    """
    made: set[str] = set()
    sources, readers = [], set[str]()
    for node in model.graph.node:
        reads = any(name in made for name in node.input)
        bad = [name for name in node.output if name in kinds and foreign(kinds[name])]
        if reads:
            readers.add(node.name)
        elif bad and node.op_type != "Constant":
            sources.append(node)
        made.update(bad)
    return sources, readers


def speaks_of_types(words: Collection[str]) -> bool:
    return any(sign in said for said in words for sign in SIGNS)
