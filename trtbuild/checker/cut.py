"""Cuts nodes out of an ONNX graph, so that the rest can be asked about: pure, in place, at the top level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

# By name in onnx.TensorProto; all others (strings, complex numbers, doubles, unsigned and 16 bit integers) are foreign.
KNOWN = ("FLOAT", "FLOAT16", "BFLOAT16", "INT8", "INT32", "INT64", "BOOL", "FLOAT8E4M3FN", "FLOAT4E2M1", "INT4")
SIGNS = ("date type", "data type", "importInitializers", "UINT8")  # "date" is TensorRT's own spelling
M = TypeVar("M", bound="Message")


@dataclass(frozen=True)
class Cut:
    """``inputs``: new ones and their shapes.  ``lost``: nodes that had to go too, since what they read is not known."""

    inputs: dict[str, list[int]]
    lost: tuple[str, ...]


def cut_out(
    model: onnx.ModelProto,
    names: set[str],
    known: Mapping[str, tuple[int, tuple[int, ...]]],
    shapes: Mapping[str, Sequence[int]],
) -> Cut:
    """Remove nodes (and those whose bodies hold a named one), and make the inputs' shapes fixed.

    Their results become inputs, and what they read becomes outputs.  It may be that nothing is left.

    Args:
        known: element type and shape of tensors; the nodes that read a result that is not there, or is of a type that
            TensorRT lacks, go too.
    """
    graph = model.graph
    gone, lost = [node for node in graph.node if _holds(node, names)], []
    opened = {name for node in gone for name in node.output if name}

    def is_closed(name: str) -> bool:
        return name not in known or foreign(known[name][0])

    kept = []
    for node in graph.node:
        if _holds(node, names):
            continue
        if any(is_closed(name) for name in _reads([node]) & opened):
            lost.append(node)
            opened |= {name for name in node.output if name}
        else:
            kept.append(node)
    kept = _copies(kept)
    read = {name for node in (*gone, *lost) for name in _reads([node])}
    inputs = sorted(opened & _reads(kept))
    for value in graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    graph.input.extend(_info(name, *known[name]) for name in inputs)
    made = {name for node in kept for name in node.output if name}
    outputs = [v.name for v in graph.output if v.name not in opened]
    outputs += sorted((read & made) - set(outputs))
    lost_names = tuple(node.name for node in lost)
    _replace(graph.node, kept)
    del graph.value_info[:]
    typed = {name: _info(name, *found) for name, found in inferred(model).items()}
    ends = [typed[name] for name in outputs if name in typed]
    live = _live(kept, {value.name for value in ends})
    if not any(node.op_type not in ("Constant", "Identity") for node in live):
        live = []
    needed = _reads(live) | {value.name for value in ends}
    _replace(graph.output, ends)
    _replace(graph.node, live)
    _replace(graph.input, _copies([value for value in graph.input if value.name in needed]))
    _replace(graph.initializer, _copies([tensor for tensor in graph.initializer if tensor.name in needed]))
    return Cut({name: list(known[name][1]) for name in inputs if name in needed}, lost_names)


def _holds(node: onnx.NodeProto, names: set[str]) -> bool:
    return any(inner.name in names for inner in _all([node]))


def _all(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes, and those of every body in them."""
    from trtbuild.graphs.graph import with_bodies

    return [inner for node in nodes for inner in with_bodies(node)]


def _reads(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    return {name for node in _all(nodes) for name in node.input if name} | _body_outputs(nodes)


def _body_outputs(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """A body may return a tensor from outside unchanged."""
    from trtbuild.graphs.graph import subgraphs

    return {value.name for node in _all(nodes) for body in subgraphs(node) for value in body.output}


def _live(nodes: Sequence[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """The nodes that the wanted tensors need, in order."""
    wanted, kept = set(wanted), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted |= _reads([node])
    return kept[::-1]


def inferred(model: onnx.ModelProto) -> dict[str, tuple[int, tuple[int | None, ...]]]:
    """Element type and shape of every tensor whose type shape inference knows."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for value in (*graph.output, *graph.input, *graph.value_info):
        kind = value.type.tensor_type
        if kind.elem_type and kind.HasField("shape"):
            dims = (d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
            found[value.name] = (kind.elem_type, tuple(dims))
    return found


def _info(name: str, kind: int, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    import onnx

    return onnx.helper.make_tensor_value_info(name, kind, shape)


def _copies(messages: Iterable[M]) -> list[M]:
    """Protobuf's repeated fields own what is in them; clearing one empties its messages."""
    return [type(message).FromString(message.SerializeToString()) for message in messages]


def _replace(field: MutableSequence[M], content: Sequence[M]) -> None:
    del field[:]
    field.extend(content)


def foreign(kind: int) -> bool:
    import onnx

    return kind not in {getattr(onnx.TensorProto, name) for name in KNOWN if hasattr(onnx.TensorProto, name)}


def introduced(model: onnx.ModelProto, kinds: Mapping[str, int]) -> tuple[list[onnx.NodeProto], set[str]]:
    """Nodes that first make a foreign type, and names of the nodes that read one made by another node.

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


def speaks_of_types(words: Iterable[str]) -> bool:
    return any(sign in said for said in words for sign in SIGNS)
