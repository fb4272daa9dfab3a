"""Values of a compiled engine that are quantised and dequantised again without being computed with in between.

Either in one kernel, whose name tells (``__myl_MulMinMaxRounCastCastMul``), or in two, between which values are only
pooled or moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trtbuild.engine import dialect
from trtbuild.engine.values import COMPUTE, EngineLayer, Tensor

QUANTISED = ("int8", "float8", "int4", "float4", "uint8")
_WIDE = ("float32", "float16", "bfloat16")


def within(layer: EngineLayer) -> bool:
    """Whether a generated kernel narrows values and widens them again.

    A rounded cast (or, for fp8, a cast behind a multiplication) narrows; a cast with a multiplication behind it widens.
    """
    done = dialect.operations(layer.name)
    if layer.kind != "pointwise":
        return False
    narrowed = False
    for before, now, after in zip(("", *done), done, (*done[1:], ""), strict=False):
        if now != "Cast":
            continue
        if narrowed and before != "Roun" and after == "Mul":
            return True
        narrowed = narrowed or before == "Roun" or (before == "Mul" and after == "Cast")
    return False


def across(layers: Sequence[EngineLayer]) -> Iterator[tuple[EngineLayer, tuple[EngineLayer, ...]]]:
    """Each kernel that quantises values that nothing computes with, and the kernels that dequantise them."""
    readers: dict[str, list[EngineLayer]] = {}
    for layer in layers:
        for tensor in layer.inputs:
            readers.setdefault(tensor.name, []).append(layer)
    for layer in layers:
        if layer.kind in ("pointwise", "reformat") and _all(layer.inputs, _WIDE):
            for tensor in layer.outputs:
                ends = _ends(tensor.name, readers, set()) if tensor.type in QUANTISED else None
                if ends:
                    yield layer, ends


def _ends(
    name: str, readers: Mapping[str, Sequence[EngineLayer]], seen: set[str]
) -> tuple[EngineLayer, ...] | None:
    """The layers in which a quantised tensor is wide again; None if anything else is made of it."""
    if name in seen or not readers.get(name):
        return None
    seen.add(name)
    ends: list[EngineLayer] = []
    for reader in readers[name]:
        if reader.kind in COMPUTE:
            if dialect.operations(reader.name)[:1] != ("Cast",):  # a product that dequantises first is a wide one
                return None
            ends.append(reader)
        elif reader.kind in ("pointwise", "reformat") and _all(reader.outputs, _WIDE):
            ends.append(reader)
        elif reader.kind in ("pooling", "shuffle", "pointwise", "reformat") and _all(reader.outputs, QUANTISED):
            for tensor in reader.outputs:
                further = _ends(tensor.name, readers, seen)
                if further is None:
                    return None
                ends += further
        else:
            return None
    return tuple(ends)


def _all(tensors: Sequence[Tensor], types: Sequence[str]) -> bool:
    return bool(tensors) and all(tensor.type in types for tensor in tensors)
