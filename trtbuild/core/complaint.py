"""TensorRT's complaint about one node of a graph, and the TensorFlow operation that the node comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict

NEAR = 6  # nodes that an exporter makes from one operation, at most

RefusalStage = Literal["parse", "misread", "build"]
# Every kind of problem on the way from a network to an engine.  The same words are used everywhere: in a check's
# outcome, a reduced failure, a case's stage, a bug report.
ProblemKind = Literal["export", "precision", "parse", "misread", "build", "crash", "timeout", "mismatch"]
PHRASES: Mapping[ProblemKind, str] = {
    "export": "refused at the export", "precision": "not to be had in this precision", "parse": "refused by the parser",
    "misread": "misread by TensorRT", "build": "refused by the builder", "crash": "crash", "timeout": "timeout",
    "mismatch": "mismatch of values",
}  # fmt: skip


class OperationEntry(TypedDict):
    """A TensorFlow operation in ``scopes.json``: its traced name, its type, and its name without wrappers."""

    op: str
    type: str
    name: str


Entries = Mapping[str, OperationEntry]  # ONNX node -> the TensorFlow operation it comes from


@dataclass(frozen=True)
class Complaint:
    """What TensorRT refuses: the ONNX node as TensorRT names it, the stage, and TensorRT's own words.

    At the stage "misread" the words are ours: TensorRT accepts the graph, but computes something other than it states.
    """

    node: str
    op_type: str
    stage: RefusalStage
    words: str


def place(complaint: Complaint, entries: Entries, readers: Mapping[str, Sequence[str]]) -> str:
    """The node's TensorFlow operation, if it has one, and the node's own name if that differs."""
    origin = entries.get(complaint.node) or nearest(readers, entries, complaint.node)
    if origin is None:
        return complaint.node
    node = f", node {complaint.node}" if complaint.node != origin["name"] else ""
    return f"TensorFlow {origin['type']} {origin['name']}{node}"


def nearest(readers: Mapping[str, Sequence[str]], entries: Entries, node: str) -> OperationEntry | None:
    """The TensorFlow operation of a node that the exporter made and named itself.

    When one operation becomes several nodes, the last of them has its name, so the search goes downstream.
    """
    waiting, seen = [node], {node}
    for _ in range(NEAR):
        waiting = [name for one in waiting for name in readers.get(one, ()) if name not in seen]
        seen.update(waiting)
        origin = next((entries[name] for name in waiting if name in entries), None)
        if origin is not None:
            return origin
    return None


class Node(Protocol):
    """The part of an onnx.NodeProto that is used here."""

    @property
    def name(self) -> str: ...
    @property
    def input(self) -> Iterable[str]: ...
    @property
    def output(self) -> Iterable[str]: ...


def operations(nodes: Iterable[Node], entries: Entries) -> Callable[[str], str]:
    """What says from which operation of the source a node comes; the node's own name where none is known."""
    readers = readers_of(nodes)

    def operation(node: str) -> str:
        origin = entries.get(node) or nearest(readers, entries, node)
        return f"{origin['type']} {origin['name']}" if origin else node

    return operation


def readers_of(nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Node -> the nodes that read its results, by name."""
    nodes = list(nodes)
    makers = {name: node.name for node in nodes for name in node.output if name}
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for name in node.input:
            if name in makers:
                readers.setdefault(makers[name], []).append(node.name)
    return readers
