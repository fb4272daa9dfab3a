"""Takes writes to variables out of the functions that a graph calls, so that the rest can be frozen; in place, pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.framework.function_pb2 import FunctionDef
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")  # inlined, which drops what no output waits for


def is_write(kind: str) -> bool:
    return kind.startswith("Assign")


def take_out(graph_def: GraphDef) -> list[str]:
    """Cut writes out of all functions behind the nodes; returns those that matter, as FUNCTION/OPERATION.

    A branch or a loop runs as a whole, so that every write in it matters; elsewhere those that a result waits for.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    found: list[str] = []
    seen: set[tuple[str, bool]] = set()
    waiting = [(name, whole) for node in graph_def.node for name, whole in _called(node)]
    while waiting:
        name, whole = waiting.pop()
        if (name, whole) in seen or name not in functions:
            continue
        seen.add((name, whole))
        function = functions[name]
        waiting += [(inner, whole or below) for node in function.node_def for inner, below in _called(node)]
        writes = {node.name for node in function.node_def if is_write(node.op)}
        found += sorted(f"{name}/{write}" for write in (writes if whole else writes & _awaited(function)))
    for name in {name for name, _ in seen}:
        _cut(functions[name])
    return list(dict.fromkeys(found))


def _called(node: NodeDef) -> Iterator[tuple[str, bool]]:
    """Functions that a node runs, and whether as a branch or a loop."""
    for value in node.attr.values():
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name, node.op not in _CALLS


def _awaited(function: FunctionDef) -> set[str]:
    nodes = {node.name: node for node in function.node_def}
    found: set[str] = set()
    waiting = [source.partition(":")[0] for source in function.ret.values()]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found.add(name)
            waiting += [source.lstrip("^").partition(":")[0] for source in nodes[name].input]
    return found


def _cut(function: FunctionDef) -> None:
    gone = {node.name for node in function.node_def if is_write(node.op)}
    if gone:
        _return_copies(function)
    for i in reversed(range(len(function.node_def))):
        node = function.node_def[i]
        if node.name in gone:
            del function.node_def[i]
            continue
        kept = [source for source in node.input if source.removeprefix("^") not in gone or source[0] != "^"]
        del node.input[:]
        node.input.extend(kept)
    for key in [key for key, name in function.control_ret.items() if name in gone]:
        del function.control_ret[key]
        function.signature.control_output.remove(key)


def _return_copies(function: FunctionDef) -> None:
    """What was just written is read and returned, and freezing loses a read that nothing follows."""
    reads = {node.name: node.attr["dtype"].type for node in function.node_def if node.op == "ReadVariableOp"}
    for key, source in list(function.ret.items()):
        name = source.partition(":")[0]
        if name in reads:
            copy = function.node_def.add(name=f"{name}/{key}_copy", op="Identity", input=[source])
            copy.attr["T"].type = reads[name]
            function.ret[key] = f"{copy.name}:output:0"
