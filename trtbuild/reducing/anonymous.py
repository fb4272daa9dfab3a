"""A graph without its author's names: nodes become n0, n1, …, tensors t0, t1, …; types of operations stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_PUBLIC = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft")


@dataclass(frozen=True)
class Renaming:
    """Old name -> new name, for the tensors of the top level and for all nodes."""

    tensors: Mapping[str, str]
    nodes: Mapping[str, str]


def anonymise(model: onnx.ModelProto) -> Renaming:
    """Rename everything in place, and remove free text."""
    from trtbuild.graphs import canonical

    names: dict[str, str] = {}
    canonical.strip(model)
    model.producer_name = model.domain = ""
    del model.training_info[:]
    count = _Counter()
    _rename(model.graph, {}, count, names)
    for entry in model.opset_import:
        entry.domain = _domain(entry.domain)
    return Renaming(names, count.nodes)


class _Counter:
    def __init__(self) -> None:
        self._next = {"n": 0, "t": 0, "d": 0, "g": 0}
        self.dims: dict[str, str] = {}
        self.nodes: dict[str, str] = {}

    def take(self, letter: str) -> str:
        self._next[letter] += 1
        return f"{letter}{self._next[letter] - 1}"


def _rename(graph: onnx.GraphProto, outer: dict[str, str], count: _Counter, top: dict[str, str] | None = None) -> None:
    known = dict(outer)
    own: dict[str, str] = {}

    def define(name: str) -> str:
        if name and name not in own:
            own[name] = known[name] = count.take("t")
        return known.get(name, "")

    graph.name = "model" if top is not None else count.take("g")
    graph.doc_string = ""
    if "metadata_props" in graph.DESCRIPTOR.fields_by_name:
        del graph.metadata_props[:]
    del graph.quantization_annotation[:]
    for value in graph.input:
        value.name = define(value.name)
    for tensor in graph.initializer:
        tensor.name, tensor.doc_string = define(tensor.name), ""
    for tensor in graph.sparse_initializer:
        tensor.values.name = define(tensor.values.name)
    for node in graph.node:
        old, node.name = node.name, count.take("n")
        count.nodes.setdefault(old, node.name)
        node.doc_string, node.domain = "", _domain(node.domain)
        for field in ("metadata_props", "device_configurations"):
            if field in node.DESCRIPTOR.fields_by_name:
                del getattr(node, field)[:]
        node.input[:] = [known.get(name, "") for name in node.input]
        for attribute in node.attribute:
            attribute.doc_string = ""
            _texts(node, attribute)
            for body in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
                _rename(body, known, count)
        node.output[:] = [define(name) for name in node.output]
    for value in graph.output:
        value.name = known.get(value.name, "")
    for value in (*graph.input, *graph.output):
        value.doc_string = ""
        if "metadata_props" in value.DESCRIPTOR.fields_by_name:
            del value.metadata_props[:]
        for dim in _dims(value):
            if dim.WhichOneof("value") == "dim_param":
                dim.dim_param = count.dims.setdefault(dim.dim_param, count.dims.get(dim.dim_param) or count.take("d"))
            dim.denotation = ""
        value.type.denotation = ""
    if top is not None:
        top.update(own)


def _dims(value: onnx.ValueInfoProto) -> Iterator[onnx.TensorShapeProto.Dimension]:
    kind = value.type
    while kind.WhichOneof("value") in ("sequence_type", "optional_type"):
        kind = getattr(kind, kind.WhichOneof("value")).elem_type
    if kind.WhichOneof("value") == "tensor_type":
        yield from kind.tensor_type.shape.dim


def _texts(node: onnx.NodeProto, attribute: onnx.AttributeProto) -> None:
    """Replace what attributes reveal: names of tensors, the words of a table (ai.onnx.ml), and the model's own numbers.

    Attributes of ONNX's own operations are settings, except those of a Constant; a foreign operation may keep its
    weights there.
    """
    if attribute.HasField("t"):
        attribute.t.name = attribute.t.doc_string = ""
    if attribute.strings and (node.domain == "ai.onnx.ml" or node.op_type in ("Constant", "StringNormalizer")):
        attribute.strings[:] = [f"s{i}".encode() for i in range(len(attribute.strings))]
    foreign = node.domain not in ("", "ai.onnx")
    if attribute.name == "value_string" or (foreign and attribute.s):
        attribute.s = b"s0"
    if foreign and attribute.strings:
        attribute.strings[:] = [f"s{i}".encode() for i in range(len(attribute.strings))]
    if attribute.floats and (foreign or node.op_type == "Constant"):
        attribute.floats[:] = [0.25 + 0.5 * (i % 7) / 7 for i in range(len(attribute.floats))]
    if foreign and attribute.f:
        attribute.f = 0.5


def _domain(name: str) -> str:
    return name if name in _PUBLIC else "custom"
