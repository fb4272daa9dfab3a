"""Groups of operations whose precision changes together, found in the exported graph.

Operations that read one tensor share its quantised form; what is added or concatenated should arrive in one type; and
the few products of one layer of the source (a separable convolution, an LSTM's gates) were written as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.auto.scopes import common
from trtbuild.graphs.graph import producers
from trtbuild.graphs.scopes import NodeEntry, ScopeMap

if TYPE_CHECKING:
    import onnx

JOINS = ("Add", "Sub", "Sum", "Concat", "Max", "Min", "Mean")
# What hands a tensor on element by element, or moves elements about: it does not separate a product from a join.
PASSES = (
    "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Mul", "Div",
    "BatchNormalization", "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Pad", "MaxPool",
    "AveragePool", "Resize", "Cast", "Slice",
)  # fmt: skip
_LAYER = 4  # a scope with more products than this is not one layer of the source


@dataclass(frozen=True)
class Group:
    """``nodes``: ONNX names; ``operations``: their names in TensorFlow, by which scopes find them."""

    name: str
    nodes: tuple[str, ...]
    operations: tuple[str, ...]


def find_groups(graph: onnx.GraphProto, nodes: Collection[str], scopes: ScopeMap) -> list[Group]:
    """The groups of these nodes, in the graph's order.

    Args:
        nodes: names of the convolutions and products that can be written in a lower precision.
    """
    chosen = [node for node in graph.node if node.name in nodes]
    names = {node.name: name_of(node.name, scopes["nodes"]) for node in chosen}
    constants = {tensor.name for tensor in graph.initializer}
    union = _Union()
    for node in chosen:
        union.join(node.name, "operation", names[node.name])
        for tensor in node.input[:2]:
            if tensor not in constants:
                union.join(node.name, "tensor", tensor)
    _join_partners(graph, set(names), union)
    layers: dict[str, list[str]] = defaultdict(list)
    for node, name in names.items():
        layers[name.rpartition("/")[0]].append(node)
    for scope, members in layers.items():
        if scope and len(members) <= _LAYER:
            for member in members:
                union.join(member, "scope", scope)
    gathered: dict[object, list[str]] = defaultdict(list)
    for node in chosen:
        gathered[union.root(node.name)].append(node.name)
    return _named([tuple(members) for members in gathered.values()], names)


def _join_partners(graph: onnx.GraphProto, products: Collection[str], union: _Union) -> None:
    """Unite the products whose results meet in an addition or a concatenation, also over a chain of such."""
    writer = producers(graph)

    def source(tensor: str) -> object:
        node = writer.get(tensor)
        while node is not None and node.name not in products and node.op_type in PASSES and node.input:
            node = writer.get(node.input[0])
        if node is None:
            return None
        if node.name in products:
            return node.name
        return ("join", node.name) if node.op_type in JOINS else None

    for node in graph.node:
        if node.op_type in JOINS and node.name not in products:
            for tensor in node.input:
                if (found := source(tensor)) is not None:
                    union.unite(found, ("join", node.name))


def name_of(node: str, entries: Mapping[str, NodeEntry]) -> str:
    """The operation's name in TensorFlow; the node's own where the graph has no map."""
    entry = entries.get(node)
    return entry.get("name", entry["op"]) if entry else node


def _named(members: list[tuple[str, ...]], names: Mapping[str, str]) -> list[Group]:
    """Each group under the scope that its operations share, or its first operation where it shares too little."""
    groups, taken = [], set[str]()
    for nodes in members:
        operations = tuple(dict.fromkeys(names[node] for node in nodes))
        name = common(operations) if len(operations) > 1 else operations[0].rpartition("/")[0]
        if not name or name in taken or any(_inside(names[n], name) for n in names if n not in nodes):
            first = operations[0] if len(operations) == 1 else operations[0].rpartition("/")[0] or operations[0]
            name = first if len(operations) == 1 else f"{first} and {len(operations) - 1} more"
        taken.add(name)
        groups.append(Group(name, nodes, operations))
    return groups


def _inside(operation: str, scope: str) -> bool:
    return operation.startswith(f"{scope}/")


class _Union:
    """Disjoint sets of anything that can be hashed."""

    def __init__(self) -> None:
        self._parents: dict[object, object] = {}

    def root(self, one: object) -> object:
        parent = self._parents.setdefault(one, one)
        while parent != one:
            one, parent = parent, self._parents[parent]
        return one

    def unite(self, a: object, b: object) -> None:
        self._parents[self.root(a)] = self.root(b)

    def join(self, one: object, kind: str, key: str) -> None:
        """Unite with everything else of this kind and key."""
        self.unite(one, (kind, key))
