"""What became of every node whose precision was promised: the layer it was compiled into, and that layer's types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtbuild.engine import dialect
from trtbuild.engine.mapping import ended
from trtbuild.engine.values import BITS, COMPUTE, Engine, EngineLayer, Tensor

_QUANTISED = ("int8", "float8", "float4", "uint8")


@dataclass(frozen=True)
class PromisedNode:
    """One promised node; ``operands`` are the types of the layer's inputs and of its non-scalar constants."""

    node: str
    promised: str
    layer: str
    kind: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    judged: bool  # whether the record says enough to judge
    kept: bool

    def complaint(self) -> str:
        return f"{self.node}: promised {self.promised}, layer {self.layer} reads {', '.join(self.operands)}"


@dataclass(frozen=True)
class Proof:
    """``unplaced`` nodes are not in any layer's record: folded, or in a layer that lists no nodes."""

    nodes: tuple[PromisedNode, ...]
    unplaced: tuple[str, ...]

    @property
    def broken(self) -> tuple[PromisedNode, ...]:
        return tuple(one for one in self.nodes if one.judged and not one.kept)

    def shares(self, macs: Mapping[str, int]) -> dict[str, dict[str, float]]:
        """Shares of the promised work (of nodes where it is unknown) by the type read first, and by that written."""
        known = all(macs.get(one.node) for one in self.nodes)
        work: dict[str, Counter[str]] = {"operands": Counter(), "results": Counter()}
        for one in self.nodes:
            weight = macs[one.node] if known else 1
            work["operands"][one.operands[0] if one.operands else ""] += weight
            work["results"][one.results[0] if one.results else ""] += weight
        return {
            side: {kind: round(count / found.total(), 6) for kind, count in sorted(found.items())}
            for side, found in work.items()
            if found.total()
        }

    def document(self, macs: Mapping[str, int]) -> dict[str, Any]:
        """The document under "compiled" in the passport."""
        nodes = {
            one.node: {"layer": one.layer, "operands": list(one.operands), "results": list(one.results)}
            for one in self.nodes
        }
        unjudged = [one.node for one in self.nodes if not one.judged]
        return {"nodes": nodes, "unplaced": list(self.unplaced), "unjudged": unjudged, **self.shares(macs)}


def prove(engine: Engine, promise: Mapping[str, str]) -> Proof:
    """What became of a ``promise``: ONNX node -> the type in which it is to compute."""
    nodes, unplaced = [], []
    for node, wanted in promise.items():
        layer = ended(node, engine.layers)
        if layer is None:
            unplaced.append(node)
        else:
            nodes.append(_promised_node(node, wanted.partition(" ")[0], layer))  # "float16 with int4 weights"
    return Proof(tuple(nodes), tuple(unplaced))


def _promised_node(node: str, promised: str, layer: EngineLayer) -> PromisedNode:
    inputs = _types(layer.inputs)
    constants = _types(tuple(one for one in layer.constants or () if len(one.shape) > 1))
    weights = (layer.weights[0],) if layer.weights and layer.weights[0] else ()
    operands = tuple(dict.fromkeys((*inputs, *constants, *weights)))
    # Quantised arithmetic reads quantised values.  A float layer may read its values in a type and its weights in
    # another (a pooling before it computes in float32), so one of them is enough; a kernel that is not a convolution
    # or a product reveals its weights' type only where constants are listed.
    kept = promised in (inputs if promised in _QUANTISED else operands)
    computes = layer.kind in COMPUTE or (dialect.multiplies_and_sums(layer.name) and layer.constants is not None)
    judged = computes and promised in BITS and bool(inputs)
    return PromisedNode(node, promised, layer.name, layer.kind, operands, _types(layer.outputs), judged, kept)


def _types(tensors: tuple[Tensor, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tensor.type for tensor in tensors if tensor.type))
