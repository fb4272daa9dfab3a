"""One ONNX graph, one sequence of bytes: whatever varies between two exports of one model is removed.

tf2onnx (1.17) merges equal initialisers under an arbitrary one of their names and numbers the nodes it makes from a
process-wide counter, so two exports differ in bytes but not in meaning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from trtbuild.base.errors import SourceError
from trtbuild.graphs.graph import all_graphs, all_nodes, opset_of, producers, subgraphs

if TYPE_CHECKING:
    import onnx

LARGEST_BYTES = 2**31 - 1  # of any serialised protobuf message
# Operations whose defaults the importer writes with fewer digits than ONNX: stated, they are the same everywhere.
_STATED = ("Selu",)
_GENERATED = re.compile(r"__\d+(?=$|[:/_])")


def canonicalise(model: onnx.ModelProto, keep: Collection[str] = ()) -> None:
    """Rewrite ``model`` (onnx.ModelProto) in place: equal initialisers merged, generated names renumbered by first use.

    Defaults that TensorRT reads in another way are stated.

    ``keep`` holds names that come from the source model and stay as they are (TensorFlow's operation names).
    """
    _name_dimensions(model.graph)
    _state_defaults(model)
    _merge_initialisers(model.graph)
    _rename(model.graph, frozenset(keep))
    _sort_initialisers(model.graph)
    strip(model)


def _state_defaults(model: onnx.ModelProto) -> None:
    import onnx

    for node in all_nodes(model.graph):
        if node.op_type not in _STATED or node.domain not in ("", "ai.onnx"):
            continue
        stated = {attribute.name for attribute in node.attribute}
        for name, known in onnx.defs.get_schema(node.op_type, opset_of(model)).attributes.items():
            if name not in stated and known.default_value.name:
                node.attribute.append(known.default_value)


def names(model: onnx.ModelProto) -> set[str]:
    """Names of all nodes and their results: the author's own, in a ready-made ONNX file."""
    nodes = list(all_nodes(model.graph))
    return {node.name for node in nodes if node.name} | {name for node in nodes for name in node.output if name}


def strip(model: onnx.ModelProto) -> None:
    """Remove what does not change the result: producer, documentation, inferred shapes, unused opset imports."""
    import onnx

    used = {node.domain if node.domain != "ai.onnx" else "" for node in all_nodes(model.graph)} | {""}
    imports = sorted((e.domain, e.version) for e in model.opset_import if e.domain in used)
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in imports)
    model.producer_name, model.producer_version, model.doc_string = "trtbuild", "", ""
    del model.metadata_props[:]
    model.graph.name, model.graph.doc_string = "model", ""
    for graph in all_graphs(model.graph):
        del graph.value_info[:]
        for node in graph.node:
            node.doc_string = ""


def to_bytes(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check_size(weights: Iterable[bytes]) -> None:
    """Refuse what no file could hold, before it is copied again.

    Raises:
        SourceError: the weights take more than a protobuf message can.
    """
    size = sum(map(len, weights))
    if size > LARGEST_BYTES:
        what = f"its weights take {size / 1e9:.2f} GB, and a single ONNX file holds {LARGEST_BYTES / 1e9:.2f} GB"
        raise SourceError(what, where="model.source", hint="build it in parts, or keep its weights in float16")


def _name_dimensions(graph: onnx.GraphProto) -> None:
    """Dynamic dimensions that tf2onnx numbered: named after their input, anonymous elsewhere."""
    for inner in all_graphs(graph):
        for value in (*inner.input, *inner.output):
            for i, dim in enumerate(value.type.tensor_type.shape.dim):
                if dim.dim_param.startswith("unk__"):
                    dim.ClearField("dim_param")
                    if inner is graph and value in graph.input:
                        dim.dim_param = f"{value.name}_{i}"


def _merge_initialisers(graph: onnx.GraphProto) -> None:
    """Keep one of several equal initialisers; outputs keep their own, since their names are a contract."""
    outputs = {value.name for value in graph.output}
    first: dict[tuple[int, tuple[int, ...], str], str] = {}
    renamed: dict[str, str] = {}
    kept = []
    for tensor in graph.initializer:
        content = hashlib.sha256(tensor.raw_data or tensor.SerializePartialToString(deterministic=True)).hexdigest()
        key = (tensor.data_type, tuple(tensor.dims), content)
        # Typed fields (not raw_data) carry the tensor's name in the serialised form, so they only match by name.
        if tensor.name in outputs or not tensor.raw_data:
            kept.append(tensor)
        elif key in first:
            renamed[tensor.name] = first[key]
        else:
            first[key] = tensor.name
            kept.append(tensor)
    if renamed:
        rest = [type(t).FromString(t.SerializeToString()) for t in kept]
        del graph.initializer[:]
        graph.initializer.extend(rest)
        for node in all_nodes(graph):
            for i, name in enumerate(node.input):
                if name in renamed:
                    node.input[i] = renamed[name]


def _rename(graph: onnx.GraphProto, keep: frozenset[str]) -> None:
    fixed = {value.name for value in (*graph.input, *graph.output)}
    initialisers = {tensor.name for g in all_graphs(graph) for tensor in g.initializer}
    taken = set(fixed)
    nodes_taken: set[str] = set()

    def fresh(name: str, used: set[str]) -> str:
        # An initialiser's name is one of several that were merged, so it means nothing: number by first use.
        stem, colon, port = name.rpartition(":")
        stem = stem if colon else name
        given = name not in initialisers and (name in keep or stem in keep)
        base = "const" if name in initialisers else stem if given else _GENERATED.sub("", stem)
        end = "" if name in initialisers else colon + port if colon else ""
        chosen, count = base, 2
        # A generated name must not take one that the source model may still claim further down.
        while chosen + end in used or (not given and chosen in keep):
            chosen, count = f"{base}__{count}", count + 1
        chosen += end
        used.add(chosen)
        return chosen

    def rename(inner: onnx.GraphProto, tensors: dict[str, str]) -> None:
        """``tensors``: old and new names of what the graph reads from outside; its own are added."""

        def tensor(name: str) -> str:
            if name and name not in tensors:
                tensors[name] = fresh(name, taken)
            return tensors.get(name, name)

        if inner is not graph:
            for value in inner.input:
                value.name = tensor(value.name)
        for node in inner.node:
            node.name = fresh(node.name or node.op_type, nodes_taken)
            for i, name in enumerate(node.input):
                node.input[i] = tensor(name)
            for i, name in enumerate(node.output):
                node.output[i] = tensor(name)
        for value in (*inner.output, *inner.initializer):
            value.name = tensor(value.name)
        for body in (body for node in inner.node for body in subgraphs(node)):
            own = _defined(body)  # two bodies may use one name for different tensors
            rename(body, {old: new for old, new in tensors.items() if old not in own})

    rename(graph, {name: name for name in fixed})


def _defined(graph: onnx.GraphProto) -> set[str]:
    """The tensors that a graph does not read from outside."""
    return {value.name for value in (*graph.input, *graph.initializer)} | producers(graph).keys()


def _sort_initialisers(graph: onnx.GraphProto) -> None:
    for inner in all_graphs(graph):
        ordered = sorted((type(t).FromString(t.SerializeToString()) for t in inner.initializer), key=lambda t: t.name)
        del inner.initializer[:]
        inner.initializer.extend(ordered)
