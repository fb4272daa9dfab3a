"""Weights that an ONNX file keeps in files beside it: where each is, and how to read it, link or not.

onnx's own reader refuses symbolic and hard links, which DVC and others use to place files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import inside
from trtbuild.base.text import printable

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Place:
    """``file`` is there, and long enough; ``length`` is None where neither the model nor the shape tells."""

    location: str
    file: Path
    offset: int
    length: int | None


def load(path: Path, where: str) -> onnx.ModelProto:
    """An ONNX file with all its values (onnx.ModelProto).

    Raises:
        ConfigError: a file of weights is missing, too short, or not below the model's folder.  OSError, and whatever
        protobuf raises: it cannot be read.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    read(model, path.resolve().parent, where)  # they lie beside the file itself, not beside a link to it
    return model


def places(
    model: onnx.ModelProto, folder: Path, where: str, *, linked: bool = False
) -> Iterator[tuple[onnx.TensorProto, Place]]:
    """Every tensor whose values are in another file, and which part of which: initialisers, and constants of nodes.

    Raises:
        ConfigError: a file is missing, too short, or not below ``folder``.
    """
    import onnx

    from trtbuild.graphs.graph import all_nodes, subgraphs

    nodes = [*all_nodes(model.graph), *(node for function in model.functions for node in all_nodes(function))]
    graphs = [model.graph, *(graph for node in nodes for graph in subgraphs(node))]
    held = [tensor for graph in graphs for tensor in graph.initializer]
    held += [part for graph in graphs for s in graph.sparse_initializer for part in (s.values, s.indices)]
    for node in nodes:
        for attribute in node.attribute:
            held += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
    for tensor in held:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            yield tensor, _place(tensor, folder, where, linked)


def _place(tensor: onnx.TensorProto, folder: Path, where: str, linked: bool) -> Place:
    said = {entry.key: entry.value for entry in tensor.external_data}
    location, name = said.get("location", ""), printable(tensor.name)
    shown = printable(location)
    file = inside(folder, location, where=where, linked=linked)
    numbers = {key: said[key] for key in ("offset", "length") if key in said}
    for key, value in numbers.items():
        if not (value.isascii() and value.isdigit()):
            raise ConfigError(f"the {key} of '{name}' in its file of weights is '{printable(value)}'", where=where)
    offset = int(numbers.get("offset", 0))
    length = int(numbers["length"]) if "length" in numbers else _length(tensor)
    if not file.is_file():
        raise ConfigError(f"its file of weights {shown} is missing", where=where, hint="it belongs beside the model")
    end, size = offset + (length or 0), file.stat().st_size
    if size < end:
        what = f"its file of weights {shown} is too short: {size} bytes, and '{name}' ends at {end}"
        raise ConfigError(what, where=where, hint="copy it again")
    return Place(location, file, offset, length)


def _length(tensor: onnx.TensorProto) -> int | None:
    from math import prod

    import onnx

    kind = onnx.TensorProto.DataType.Name(tensor.data_type)
    size = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    packed = "INT4" in kind or "INT2" in kind or "FLOAT4" in kind  # several values in a byte
    return None if packed else prod(tensor.dims) * size


def read(model: onnx.ModelProto, folder: Path, where: str, *, linked: bool = False) -> None:
    """Load all values into the model; ``linked`` as in :func:`trtbuild.base.files.inside`."""
    import onnx

    for tensor, place in list(places(model, folder, where, linked=linked)):
        with place.file.open("rb") as file:
            file.seek(place.offset)
            tensor.raw_data = file.read() if place.length is None else file.read(place.length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
