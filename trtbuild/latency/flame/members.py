"""From a layer's name or metadata to the operations that were fused into it.

TensorRT joins names with " + " (vertical), " || " (horizontal) and, inside PWN(...), ", "; names a Myelin region by its
first and last operation, {ForeignNode[a...b]}; and since 8.6 lists ONNX nodes in Metadata as [ONNX Layer: node],
separated by U+001E or U+001F.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.latency.flame.layers import without_profile
from trtbuild.latency.flame.values import Kind, Layer, Member, Row

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import NodeEntry, ScopeMap

_METADATA = re.compile(r"^\[ONNX Layer: (.*)\]$", re.DOTALL)
_BETWEEN = re.compile(r"[\x1e\x1f]|(?<=\])(?=\[ONNX Layer: )")  # one-line output swallows the separators
_REFORMAT = re.compile(
    r"^Reformatting CopyNode for (?:(?:Input|Output) Tensor \d+ to |Network (?:Input|Output) )(.*)$", re.DOTALL
)
_GLUED = re.compile(r"^(?:copied_)?(?:reshape|transpose|squeeze|unsqueeze|shuffle)_(?:before|after)_(?=.)")
_COPY = re.compile(r"^(.+?)(?:_copy_(?:input|output)|(?:_clone_\d+)? copy)$", re.DOTALL)
_FOREIGN = re.compile(r"\{ForeignNode\[(.*)\]\}", re.DOTALL)
_TORCH = re.compile(r"^\[[^\]]*\]-\[[^\]]*\]-\[(.*?)\](?:_\w+)?$", re.DOTALL)
_MYELIN_SUFFIX = re.compile(r"_myl\d+_\d+$")
_ROOTLESS = re.compile(
    r"^(?:\(Unnamed Layer\* \d+\) \[|\[train(?:Station|End)|dummy_shape_call__|shape_call|signal|wait\b)"
)
_UNNAMED = re.compile(r"^\(Unnamed Layer\* \d+\) \[[^\]]*\]")
_CONSTANT = re.compile(r"(?::\d+|_output_\d+|\.(?:weight|bias|running_mean|running_var)|^onnx::\w+_\d+)$")
_GENERATED = re.compile(r"^(?:[A-Za-z]\w*__\d+|__mye?l?\w*|dummy_shape_call__\w*|ONNXTRT_\w+(?:\[\w+\])?)$")
# What ONNX Runtime's optimisers make of a name (NCHWc layout, fusions, casts, quantisation).
_ORT_BEFORE = re.compile(r"^(?:fused |Inserted(?:PrecisionFree)?Cast_)")
_ORT_AFTER = re.compile(
    r"(?:_token_\d+|_nchwc|_nhwc|_quant|/MatMulAddFusion/?|/ConvAddFusion/?|_(?:Quantize|Dequantize)Linear)$"
)
_ORT_REORDER = re.compile(r"^Reorder(?:Input|Output)(?:_token_\d+)?$")
# Wrappers of a loaded SavedModel's functions, which no author wrote.
_WRAPPERS = re.compile(r"^(?:(?:StatefulPartitionedCall|PartitionedCall)(?:_\d+)?/)+(?=.)")
_NUMBERED = re.compile(r"(?:__?\d+)+$")
_HEAVY = re.compile(r"conv|matmul|gemm|einsum|dense|linear|attention|lstm|gru|bmm|addmm|mha", re.IGNORECASE)
_LIGHT_LINEAR = re.compile(r"quantizelinear|^resize|bilinear", re.IGNORECASE)
_MIDDLE = re.compile(
    r"pool|norm|softmax|resize|mean|reduce|sum$|topk|nms|nonmax|argm|upsampl|interp|bilinear", re.IGNORECASE
)
_SHAPE = re.compile(
    r"reshape|transpose|^shape|slice|concat|gather|squeeze|split|pad$|tile|expand|identity|cast|flatten|constant|permute|pack|"
    r"quantize|quantlinear|dequant|shuffle|copy|fill|range|spacetodepth|depthtospace|readvariable",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parsed:
    """What a row is, its members that have a meaning, and all of their names for those who look."""

    kind: Kind
    members: tuple[Member, ...]
    names: tuple[str, ...]


def cost(op: str) -> int:
    """Convolutions and products 3; pooling, norms, softmax and resizing 2; elementwise 1; moving data 0.

    >>> [cost(op) for op in ("Conv2D", "MaxPool", "Relu", "Reshape__12", "QuantizeLinear")]
    [3, 2, 1, 0, 0]
    """
    bare = _NUMBERED.sub("", op)
    if _HEAVY.search(bare) and not _LIGHT_LINEAR.search(bare):
        return 3
    if _MIDDLE.search(bare):
        return 2
    return 0 if _SHAPE.search(bare) else 1


class Names:
    """Node names to paths: a build's own scopes first, then the name itself."""

    def __init__(self, scopes: ScopeMap | None) -> None:
        nodes = {} if scopes is None else scopes["nodes"]
        tensors = {} if scopes is None else scopes.get("tensors", {})
        self._nodes = nodes
        self._ops = {one.get("op"): entry for entry in nodes.values() for one in entry.get("members", ())}
        self._ops |= {entry.get("op"): entry for entry in nodes.values()}
        self._tensors = {n: e.get("tensor", "") for n, e in tensors.items() if isinstance(e, Mapping)}

    def member(self, name: str, op: str = "") -> Member:
        entry = self._entry(name)
        if entry is not None:
            path = str(entry.get("name") or f"{entry.get('scope', '')}/{entry['op'].rpartition('/')[2]}".lstrip("/"))
            # tf2onnx calls a convolution with its batch norm folded in after the norm's addition.
            made_of = (op or str(entry.get("type", "")), name.rpartition("/")[2])
            return Member(name, path, max(cost(word) for word in made_of))
        path = clean_path(name)
        return Member(name, path, cost(op or path.rpartition("/")[2]))

    def folded(self, name: str) -> tuple[str, ...]:
        """Paths of the operations that the exporter folded into this one."""
        entry = self._entry(name)
        members = () if entry is None else entry.get("members", ())
        return tuple(str(one.get("name") or one.get("op")) for one in members)

    def known(self, name: str) -> bool:
        return self._entry(name) is not None

    def _entry(self, name: str) -> NodeEntry | None:
        bare = _recovered(name)
        for candidate in (name, bare, bare.rpartition(":")[0], name.replace(".", "_")):
            if candidate in self._nodes:
                return self._nodes[candidate]
        for candidate in (name, bare):
            op = self._ops.get(str(self._tensors.get(candidate, "")).rpartition(":")[0])
            if op is not None:
                return op
        return None


def _recovered(name: str) -> str:
    """A node's name before ONNX Runtime's optimisers: suffixes off, one after the other."""
    bare = _ORT_BEFORE.sub("", name)
    while (shorter := _ORT_AFTER.sub("", bare)) and shorter != bare:
        bare = shorter
    return bare


def clean_path(name: str) -> str:
    """``scope/…/op`` as its author wrote it.

    >>> clean_path("StatefulPartitionedCall/net/conv/Relu:0_nchwc"), clean_path("/layer1/conv/Conv_myl9_2")
    ('net/conv/Relu', 'layer1/conv/Conv')
    """
    torch = _TORCH.match(name)
    if torch:
        name = torch[1]
    name = _MYELIN_SUFFIX.sub("", _recovered(name))
    name = re.sub(r":\d+$", "", _GLUED.sub("", name))
    name = _WRAPPERS.sub("", name.lstrip("/"))
    return "/".join(part for part in name.split("/") if part)


def parse(row: Row, layer: Layer | None, names: Names) -> Parsed:
    """Metadata where there is any; else the name."""
    name = without_profile(row.name)
    kind: Kind = "layer"
    listed = listed_nodes(layer.metadata) if layer else ()
    owner = _REFORMAT.match(name)
    if owner or (layer and layer.type == "MyelinReformat") or (layer and layer.origin == "REFORMAT"):
        kind, name = "reformat", owner[1] if owner else name
    elif copied := _COPY.match(name):
        kind, name = "reformat", copied[1].split("_/")[0]  # "/a/Concat_/a/Resize_output_0_clone_0 copy"
    elif _ORT_REORDER.match(name):
        return Parsed("reformat", (), (name,))
    if listed:
        return Parsed(kind, _kept(listed, names, row.op), listed)
    foreign = _FOREIGN.search(name)
    if foreign:
        first, _, last = foreign[1].partition("...")
        ends = (*split_name(first), *split_name(last)) if last else split_name(first)
        return Parsed("myelin" if kind == "layer" else kind, _kept(ends, names, ""), ends)
    if (layer and layer.type in ("shape_call", "signal", "wait")) or (_ROOTLESS.match(name) and " + " not in name):
        return Parsed("tensorrt" if kind == "layer" else kind, (), (name,))
    if name.startswith(("__my", "_gemm_mha_")) or (layer and layer.type == "Myelin"):
        return Parsed("myelin" if kind == "layer" else kind, (), (name,))
    found = split_name(name)
    kept = _kept(found, names, row.op)
    return Parsed("tensorrt" if kind == "layer" and not kept else kind, kept, found)


def listed_nodes(text: str) -> tuple[str, ...]:
    parts = [_METADATA.match(part.strip()) for part in _BETWEEN.split(text)]
    return tuple(dict.fromkeys(part[1] for part in parts if part and part[1]))


def _kept(found: tuple[str, ...], names: Names, op: str) -> tuple[Member, ...]:
    """Operations; constants and generated nodes only where there is nothing else."""
    real = [name for name in found if names.known(name) or not _made_up(name)]
    rest = [name for name in found if not _UNNAMED.match(name)]
    kept = real or rest
    return tuple(names.member(name, op if len(kept) == 1 else "") for name in kept if name)


def _made_up(name: str) -> bool:
    bare = _recovered(name) if name.endswith("_nchwc") else name
    if bare != name:  # the convolution that makes this tensor, not the tensor
        return False
    return bool(_CONSTANT.search(name) or _GENERATED.match(name) or _UNNAMED.match(name) or name.startswith("onnx::"))


def split_name(name: str) -> tuple[str, ...]:
    """The members of a fused name.

    >>> split_name("a/Conv + PWN(PWN(a/Sigmoid), a/Mul) || b/Conv")
    ('a/Conv', 'a/Sigmoid', 'a/Mul', 'b/Conv')
    """
    found: list[str] = []
    waiting = [(name.strip(), False)]
    while waiting:
        text, pointwise = waiting.pop()
        parts = _parts(text, pointwise)
        if len(parts) > 1:
            waiting.extend((part, pointwise) for part in reversed(parts))
        elif text.startswith("PWN(") and text.endswith(")"):
            waiting.append((text[4:-1].strip(), True))
        elif text:
            found.append(text)
    return tuple(found)


_SEPARATOR = re.compile(r" \+ | \|\| |, |[()\[\]{}]")


def _parts(text: str, pointwise: bool) -> list[str]:
    """Cut at the separators outside brackets; where brackets do not pair, at every separator."""
    cuts, depth = [0], 0
    for found in _SEPARATOR.finditer(text):
        token = found[0]
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and (pointwise or token != ", "):
            cuts += [found.start(), found.end()]
    if depth != 0:
        return [part.strip() for part in re.split(r" \+ | \|\| ", text) if part.strip()]
    cuts.append(len(text))
    return [part for i in range(0, len(cuts), 2) if (part := text[cuts[i] : cuts[i + 1]].strip())]
