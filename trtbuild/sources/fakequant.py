"""Quantisation-aware training: the fake-quantisation operations of a frozen graph, and what an export makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.core.complaint import Entries, nearest, readers_of
from trtbuild.core.parserwarnings import where
from trtbuild.core.warning import StepWarning

if TYPE_CHECKING:
    import onnx
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    from trtbuild.graphs.scopes import Cleaner

KINDS = (
    "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel",
    "QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4",
)  # fmt: skip
_PASSING = ("Identity", "Reshape", "Transpose", "Cast", "StopGradient", "ReadVariableOp", "Squeeze", "ExpandDims")
FOLDED = (
    "folded into float constants: what reads them ({}) runs in the precision of the build, and training for "
    "quantisation has no effect on it in this engine"
)
FOLDED_HINT = "precision=int8 calibrates and quantises weights anew"
PAIRS = "kept as QuantizeLinear and DequantizeLinear: an operation computes in int8 only where its weights are, too"


@dataclass(frozen=True)
class FakeQuantisation:
    """One operation; ``on_weights``: no network input reaches it; ``readers``: type and name of each reader."""

    name: str
    kind: str
    on_weights: bool
    readers: tuple[tuple[str, str], ...]


def find(graph_def: GraphDef, weights: Collection[str] = ()) -> tuple[FakeQuantisation, ...]:
    """In the order of the graph, bodies of functions last; ``weights`` are placeholders that stand for weights."""
    found = _in_nodes(graph_def.node, weights)
    for function in graph_def.library.function:
        inputs = [argument.name for argument in function.signature.input_arg]
        found += _in_nodes(function.node_def, weights, inputs)
    return tuple(found)


def _in_nodes(nodes: Iterable[NodeDef], weights: Collection[str], inputs: Iterable[str] = ()) -> list[FakeQuantisation]:
    by_name = {node.name: node for node in nodes}
    readers: dict[str, list[NodeDef]] = {}
    for node in by_name.values():
        for tensor in node.input:
            if not tensor.startswith("^"):  # a control edge carries no values
                readers.setdefault(tensor.partition(":")[0], []).append(node)
    fed = {node.name for node in by_name.values() if node.op.startswith("Placeholder") and node.name not in weights}
    waiting = [*fed, *inputs]
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader.name not in fed:
                fed.add(reader.name)
                waiting.append(reader.name)
    return [
        FakeQuantisation(node.name, node.op, node.name not in fed, tuple(_real_readers(node.name, readers)))
        for node in by_name.values()
        if node.op in KINDS
    ]


def _real_readers(name: str, readers: Mapping[str, list[NodeDef]]) -> Iterable[tuple[str, str]]:
    for reader in readers.get(name, ()):
        if reader.op in _PASSING:
            yield from _real_readers(reader.name, readers)
        else:
            yield reader.op, reader.name


def warnings(found: Iterable[FakeQuantisation], kept: Collection[str], clean: Cleaner) -> list[StepWarning]:
    """What becomes of quantisation-aware training in an export.

    Args:
        kept: operations that are in the exported graph.
    """
    found = list(found)
    gone = [one for one in found if one.on_weights and one.name not in kept]
    said = []
    if gone:
        readers = where(f"{kind} {clean.name(name)}" for one in gone for kind, name in one.readers)
        said.append(_warning(gone, f"on weights are {FOLDED.format(readers)}", FOLDED_HINT, clean))
    if pairs := [one for one in found if one not in gone]:
        said.append(_warning(pairs, f"are {PAIRS}", FOLDED_HINT, clean))
    return said


def kept(model: onnx.ModelProto, entries: Entries) -> set[str]:
    """TensorFlow operations that are still quantisation in the exported graph; ``entries`` are those of scopes.json."""
    readers = readers_of(model.graph.node)
    nodes = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    found = (entries.get(node.name) or nearest(readers, entries, node.name) for node in nodes)
    return {entry["op"] for entry in found if entry is not None}


def _warning(found: list[FakeQuantisation], what: str, hint: str, clean: Cleaner) -> StepWarning:
    places = where(f"{one.kind} {clean.name(one.name)}" for one in found)
    return StepWarning(f"{len(found)} fake-quantisation operation(s) {what}", places, hint)
