"""Layer information of an engine (--exportLayerInfo, IEngineInspector), and its join with a profile's rows."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.reading import parse_json, read_text, refuse
from trtbuild.latency.flame.values import Layer, Row

EXPECTED = 'layer information (trtexec --exportLayerInfo): {"Layers": […]}'
_PROFILE = re.compile(r" \[profile \d+\]$")
_PLAIN = re.compile(r"[\x00-\x1f\\\"]|\\u00[01][0-9a-fA-F]")


def read_layers(source: Path | str | Sequence[object] | Mapping[str, object]) -> tuple[Layer, ...]:
    """Layers in engine order, from a file or parsed JSON: objects, or names alone (LAYER_NAMES_ONLY).

    Raises:
        ConfigError: the file is missing, broken or of another kind.
    """
    where = str(source) if isinstance(source, (str, Path)) else "layers"
    content = parse_json(read_text(source), where, EXPECTED) if isinstance(source, (str, Path)) else source
    entries = content.get("Layers") if isinstance(content, Mapping) else content
    if not isinstance(entries, list) or not entries:
        refuse(content, where, EXPECTED)
    layers = []
    for i, entry in enumerate(entries):
        if isinstance(entry, str) and entry.lstrip().startswith('{"Name"'):  # one document for each layer, as a string
            entry = parse_json(entry, where, f"a layer at entry {i}")
        if isinstance(entry, str):
            layers.append(Layer(entry))
        elif isinstance(entry, Mapping) and isinstance(entry.get("Name"), str):
            layers.append(_layer(entry))
        else:
            refuse(content, where, f"{EXPECTED}, entry {i} a layer's name or an object with 'Name'")
    return tuple(layers)


def _layer(entry: Mapping[str, object]) -> Layer:
    stream = entry.get("StreamId")
    return Layer(
        _text(entry["Name"]),
        _text(entry.get("LayerType")),
        _text(entry.get("Origin")),
        _text(entry.get("Metadata")),
        _text(entry.get("TacticName")),
        stream if isinstance(stream, int) else 0,
        macs(entry),
        _elements(_shape(entry, "Outputs")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def macs(layer: Mapping[str, object]) -> int | None:
    """Multiply-accumulates of a layer from its dimensions; None where they cannot be known.

    Convolution: output elements x (C / groups) x R x S, the last three as weights over output maps.  Matrix product:
    output elements x the inner dimension.  Dynamic dimensions (-1) and layers of other types give None.
    """
    out, inputs = _shape(layer, "Outputs"), _shape(layer, "Inputs")
    kind = f"{layer.get('LayerType', '')} {layer.get('ParameterType', '')}".lower()
    elements, weights = _elements(out), layer.get("Weights")
    count = weights.get("Count") if isinstance(weights, Mapping) else None
    maps = layer.get("OutMaps")
    if elements is None or not out:
        return None
    if isinstance(count, int) and isinstance(maps, int) and count > 0 and maps > 0 and "deconv" not in kind:
        return elements * count // maps
    if "deconv" in kind and isinstance(count, int) and inputs and len(inputs) > 1 and inputs[1] > 0:
        whole = _elements(inputs)
        return None if whole is None else whole * count // inputs[1]
    kernel, groups = layer.get("Kernel"), layer.get("Groups", 1)
    if (
        "conv" in kind
        and isinstance(kernel, list)
        and inputs
        and len(inputs) > 1
        and isinstance(groups, int)
        and groups
    ):
        return elements * inputs[1] // groups * math.prod(k for k in kernel if isinstance(k, int))
    if any(word in kind for word in ("gemm", "matmul", "matrixmultiply", "fullyconnected")) and inputs:
        return elements * inputs[-1] if inputs[-1] > 0 else None
    return None


def _shape(layer: Mapping[str, object], side: str) -> tuple[int, ...] | None:
    tensors = layer.get(side)
    first = tensors[0] if isinstance(tensors, list) and tensors else None
    dims = first.get("Dimensions") if isinstance(first, Mapping) else None
    if not isinstance(dims, list) or not all(isinstance(d, int) for d in dims):
        return None
    return tuple(dims)


def _elements(shape: Sequence[int] | None) -> int | None:
    return None if shape is None or any(d < 0 for d in shape) else math.prod(shape)


def without_profile(name: str) -> str:
    """The name without the number of the optimisation profile that TensorRT 8 appends."""
    return _PROFILE.sub("", name)


def _loose(name: str) -> str:
    """A name as far as both files agree on it: the profile is written unescaped, the layer file is not always."""
    return _PLAIN.sub("", without_profile(name))


def join(rows: Sequence[Row], layers: Sequence[Layer], where: str) -> tuple[Layer, ...]:
    """The layer of every row: by position where all names agree, else by name and its number of occurrence.

    Raises:
        ConfigError: some row has no layer: the two files are not of one engine.
    """
    keys: tuple[Callable[[str], str], ...] = (str, _loose)
    for key in keys:
        if len(rows) == len(layers) and all(key(r.name) == key(la.name) for r, la in zip(rows, layers, strict=True)):
            return tuple(layers)
    for key in keys:
        found = _by_occurrence(rows, layers, key)
        if None not in found:
            return tuple(layer for layer in found if layer is not None)
    at = found.index(None)
    beside = f"entry {at} there is {layers[at].name[:80]!r}" if at < len(layers) else f"it has {len(layers)} layers"
    missing = sum(layer is None for layer in found)
    raise ConfigError(
        f"layer {at} of the profile, {rows[at].name[:80]!r}, is not in the layer file ({beside})",
        where=where,
        hint=f"{missing} of {len(rows)} rows have no layer: both files must be of one engine",
    )


def _by_occurrence(rows: Sequence[Row], layers: Sequence[Layer], key: Callable[[str], str]) -> list[Layer | None]:
    places: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        places[key(layer.name)].append(layer)
    seen: dict[str, int] = defaultdict(int)
    found: list[Layer | None] = []
    for row in rows:
        name = key(row.name)
        k, seen[name] = seen[name], seen[name] + 1
        found.append(places[name][k] if k < len(places.get(name, ())) else None)
    return found
