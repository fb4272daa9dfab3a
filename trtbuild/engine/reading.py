"""A layer file of any engine, or a build's log -> one typed value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.engine import dialect, log
from trtbuild.engine.values import Engine, EngineLayer, Memory, Tensor, Unread
from trtbuild.latency.flame.members import listed_nodes
from trtbuild.latency.flame.reading import parse_json, read_text, refuse

_LARGEST = 2**48  # elements or bytes; more is damage
EXPECTED = 'layer information (trtexec --exportLayerInfo): {"Layers": […]}, or the log of a build'


def read_engine(path: Path | str) -> Engine:
    """The engine in a file; raises ConfigError if it is missing, damaged or another kind of file."""
    text, where = read_text(path), str(path)
    is_json = text.lstrip()[:1] in ("{", "[") and not log.is_log(text)  # a script may print a line of its own first
    content: Any = parse_json(text, where, EXPECTED) if is_json else log.document(text, where)
    return engine(content, where)


def engine(content: Any, where: str) -> Engine:
    """The engine in a document, as in ``engine_layers.json`` or from trtexec.

    Raises:
        ConfigError: it has no layers.
    """
    entries = content.get("Layers") if isinstance(content, Mapping) else content
    if not isinstance(entries, list) or not entries:
        refuse(content, where, EXPECTED)
    head: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    unread = [Unread(_integer(one.get("line")), str(one.get("text", "")), str(one.get("why", "")))
              for one in _objects(head.get("Unread"))]  # fmt: skip
    entries, profiles = _first_profile(entries)
    layers = [_layer(i, entry, where, unread) for i, entry in enumerate(entries)]
    sizes = head.get("Memory")
    sizes = sizes if isinstance(sizes, Mapping) else {}
    memory = {key: sizes[key] for key in log.MEMORY if _is_size(sizes.get(key))}
    names = _names(head.get("Bindings"))
    return Engine(
        where, tuple(layers), names, Memory(**memory), _optimum(head), tuple(unread), _names(head.get("IdlePairs")),
        profiles,
    )


_PROFILE = re.compile(r"\[profile (\d+)\]")


def _first_profile(entries: Sequence[Any]) -> tuple[Sequence[Any], int]:
    """The layers of the first optimisation profile, and how many profiles there are: each has all the layers anew.

    The names of layers and tensors of further profiles say so, except those of generated kernels.
    """
    marks = [max(map(int, _PROFILE.findall(str(entry))), default=0) for entry in entries]
    first = next((i for i, mark in enumerate(marks) if mark), len(entries))
    return entries[:first] or entries, 1 + max(marks, default=0)


def _layer(i: int, entry: Any, where: str, unread: list[Unread]) -> EngineLayer:
    if isinstance(entry, str) and entry.lstrip().startswith('{"Name"'):  # one document for each layer, as a string
        entry = parse_json(entry, where, f"a layer at entry {i}")
    if isinstance(entry, str):
        return EngineLayer(entry, "unknown", entry={"Name": entry})
    if not isinstance(entry, Mapping) or not isinstance(entry.get("Name"), str):
        raise ConfigError(f"entry {i} of the layers is neither a name nor an object with 'Name'", where=where)
    name, layer_type = entry["Name"], _text(entry.get("LayerType"))
    kind = dialect.kind(layer_type, name)
    if kind == "unknown":
        unread.append(Unread(0, name, f"the layer type '{layer_type}' is not known"))

    def tensors(side: str) -> tuple[Tensor, ...]:
        return tuple(_tensor(one, name, unread) for one in _objects(entry.get(side)))

    return EngineLayer(
        name,
        kind,
        layer_type,
        tensors("Inputs"),
        tensors("Outputs"),
        tensors("Constants") if "Constants" in entry else None,
        _text(entry.get("TacticName")),
        _integer(entry.get("StreamId")),
        listed_nodes(_text(entry["Metadata"])) if "Metadata" in entry else None,
        _weights(entry.get("Weights")),
        entry,
    )


def _weights(entry: Any) -> tuple[str, int] | None:
    counted = isinstance(entry, Mapping) and _is_size(entry.get("Count"))
    return (dialect.tensor_type(_text(entry.get("Type"))), entry["Count"]) if counted else None


def _tensor(entry: Mapping[str, Any], layer: str, unread: list[Unread]) -> Tensor:
    kind, layout = dialect.type_and_layout(entry)
    dims = entry.get("Dimensions")
    shape = _sizes(dims)
    name = _text(entry.get("Name"))
    if not kind or shape is None:
        said = {key: value for key, value in entry.items() if key != "Name"}
        unread.append(Unread(0, f"{name}: {said}", f"type or shape of a tensor of layer {layer} is not known"))
    return Tensor(name, (-1,) if shape is None else shape, kind, layout)


def _optimum(head: Mapping[str, Any]) -> int | None:
    """The size of every dynamic dimension at opt, where they all have the same one."""
    sizes: set[int] = set()
    for tensor in _objects(head.get("I/O Tensors")):
        profiles = _objects(tensor.get("ProfileInfo"))
        dims, opt = tensor.get("Dimensions"), profiles[0].get("OptShape") if profiles else None
        sizes |= {at for size, at in zip(_sizes(dims) or (), _sizes(opt) or (), strict=False) if size == -1}
    given = head.get("Profiles")  # written by the engine step
    for shapes in given.values() if isinstance(given, Mapping) else ():
        if isinstance(shapes, list) and len(shapes) == 3:
            low, opt, high = (_sizes(shape) or () for shape in shapes)
            sizes |= {at for a, at, b in zip(low, opt, high, strict=False) if a != b}
    return sizes.pop() if len(sizes) == 1 and min(sizes) > 0 else None


def _sizes(value: Any) -> tuple[int, ...] | None:
    """A shape; None where ``value`` is not one."""
    return tuple(value) if isinstance(value, list) and all(map(_is_size, value)) else None


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _names(value: Any) -> tuple[str, ...]:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
