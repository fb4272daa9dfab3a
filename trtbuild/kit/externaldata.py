"""Weights that an ONNX file keeps in files beside it: where each lies, and reading them, links or not.

onnx's own reader refuses symbolic and hard links, by which DVC and others place files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Place:
    """``length`` is None where neither the model says it nor the shape."""

    location: str
    offset: int
    length: int | None


def tensors(model: Any) -> Iterator[tuple[Any, Place]]:
    """Every tensor whose values are in another file: initialisers, and constants of nodes."""
    import onnx

    from trtbuild.kit.graph import subgraphs
    from trtbuild.kit.tfonnx import all_nodes

    graphs = [model.graph, *(graph for node in all_nodes(model.graph) for graph in subgraphs(node))]
    held = [tensor for graph in graphs for tensor in graph.initializer]
    for node in all_nodes(model.graph):
        for attribute in node.attribute:
            held += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
    for tensor in held:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            yield tensor, _place(tensor)


def _place(tensor: Any) -> Place:
    from math import prod

    import onnx

    said = {entry.key: entry.value for entry in tensor.external_data}
    if "length" in said:
        return Place(said.get("location", ""), int(said.get("offset", 0)), int(said["length"]))
    kind = onnx.TensorProto.DataType.Name(tensor.data_type)
    size = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    packed = "INT4" in kind or "INT2" in kind or "FLOAT4" in kind  # several values in a byte
    return Place(said.get("location", ""), int(said.get("offset", 0)), None if packed else prod(tensor.dims) * size)


def read(model: Any, folder: Path) -> None:
    """Take all values into the model."""
    import onnx

    for tensor, place in list(tensors(model)):
        with (folder / place.location).open("rb") as file:
            file.seek(place.offset)
            tensor.raw_data = file.read() if place.length is None else file.read(place.length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
