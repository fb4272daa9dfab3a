"""Which TensorFlow operations became a layer of the engine, and the scope that it belongs to.

It is found by the ONNX nodes in the layer's record and a build's scopes.json, or by the nodes' own names where the map
has none of them.  A layer without nodes (a cast that the compiler inserted) belongs to the layer that reads its result,
else to the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trtbuild.engine.values import COMPUTE, EngineLayer
from trtbuild.latency.flame.members import Names, split_name

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

# What lowering calls the nodes that it adds (graphs/qdq.py, onescale.py, cast.py), after the tensor they belong to.
_ADDED = re.compile(
    r"/(?:by_channel|plus_bias|weights/dq)$|"
    r"(?:/(?:axis|blocks)-?\d+)?(?:/scale|/block_scale)?/(?:q|rows|weights|dq(?:_(?:fp16|bf16|fp32))?)$|"
    r"(?:_fp16|_bf16|_float16|_bfloat16)?/Cast(?:_\d+)?$"
)
_WITHOUT_AUTHOR = ("control", "shape", "nothing")


@dataclass(frozen=True)
class Place:
    """``operations`` are paths in TensorFlow, the most costly first; ``how`` says how the scope was found.

    ``own``: operations with a node in the layer, rather than only one that lowering added to their result.
    """

    scope: str = ""
    operations: tuple[str, ...] = ()
    how: str = "unknown"  # "scopes", "name", "neighbour", "unknown"
    own: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return self.how != "unknown"


def places(layers: Sequence[EngineLayer], scopes: ScopeMap | None) -> list[Place]:
    """The place of each layer."""
    names = Names(scopes)
    found = [_place(layer, names) for layer in layers]
    readers: dict[str, list[int]] = {}
    writers: dict[str, int] = {}
    for i, layer in enumerate(layers):
        for tensor in layer.inputs:
            readers.setdefault(tensor.name, []).append(i)
        writers |= {tensor.name: i for tensor in layer.outputs}
    for i, layer in reversed(list(enumerate(layers))):
        if not found[i].known and layer.kind not in _WITHOUT_AUTHOR:
            near = [k for tensor in layer.outputs for k in readers.get(tensor.name, ())]
            near += [writers[tensor.name] for tensor in layer.inputs if tensor.name in writers]
            known = next((found[k] for k in near if found[k].known), None)
            if known is not None:
                found[i] = replace(known, operations=(), how="neighbour", own=())
    return found


def _place(layer: EngineLayer, names: Names) -> Place:
    nodes = layer.nodes or (split_name(layer.name) if layer.nodes is None else ())
    known = [(names.member(tensor), node != tensor) for node in nodes if names.known(tensor := _of(node))]
    how = "scopes"
    if not known:
        own = [node for node in map(_of, nodes) if "/" in node.strip("/") and "__my" not in node]
        known, how = [(names.member(node), False) for node in own], "name"
    if not known:
        return Place()
    order = sorted(known, key=lambda one: (one[1], -one[0].cost))  # nodes that were added for precision come last
    paths = tuple(dict.fromkeys(member.path for member, _ in order))
    anchor = next((path for path in paths if "/" in path), paths[0])
    unaided = tuple(dict.fromkeys(member.path for member, added in order if not added))
    return Place(anchor.rpartition("/")[0], paths, how, unaided)


def _of(node: str) -> str:
    """The node or tensor for which the lowering added a node; any other node itself."""
    return _ADDED.sub("", node)


def graph_names(layer: EngineLayer) -> tuple[str, ...]:
    """The nodes and tensors of the exported graph that a layer's record lists, without those of the lowering."""
    nodes = layer.nodes or (split_name(layer.name) if layer.nodes is None else ())
    return tuple(dict.fromkeys(name for node in nodes for name in (node, _of(node))))


def ended(node: str, layers: Sequence[EngineLayer]) -> EngineLayer | None:
    """The layer that a convolution or product of the graph was compiled into; None where the record leaves it open.

    A node is also listed by kernels around its layer (its scale, its bias), so layers that compute come first, then a
    generated kernel that multiplies and sums; where only one layer lists the node, it is that one.
    """
    from trtbuild.engine.dialect import multiplies_and_sums

    listed = [layer for layer in layers if node in (layer.nodes or ())]
    for chosen in (
        [layer for layer in listed if layer.kind in COMPUTE],
        [layer for layer in listed if multiplies_and_sums(layer.name)],
        listed if len(listed) == 1 else [],
    ):
        named = [layer for layer in chosen if layer.name.startswith(node)]
        if len(chosen) == 1 or len(named) == 1:
            return (named or chosen)[0]
    return None
