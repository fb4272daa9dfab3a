"""From an operation of the frozen graph back to the user's: its name, its layer, and the line that made it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from trtbuild.checker.places import Place, place_of

if TYPE_CHECKING:
    import tensorflow as tf

NO_FRAME = "its line is not known: no code outside of TensorFlow and Keras made it"
NOT_FOUND = "its line is not known: your code's graph has no operation of this name, or more than one"
BY_LAYER = "made by layer '{}'; Keras keeps no line for the layers of a functional model"
LOADED = "loaded from a file, which keeps no lines of code"


class Origins:
    """Looks operations up in the graph they were captured from; ``layers`` are names of Keras layers in their names."""

    def __init__(self, graph: tf.Graph | None, layers: Collection[str] = (), loaded: bool = False) -> None:
        self._graph, self._layers, self._loaded = graph, frozenset(layers), loaded

    def place(self, name: str) -> tuple[Place | None, str]:
        """Where the operation was made, or a sentence on why that is not known."""
        if self._loaded:
            return None, LOADED
        op = self._find(name)
        place = None if op is None else place_of(op.traceback)
        if place is not None:
            return place, ""
        layer = self.layer(name)
        return None, BY_LAYER.format(layer) if layer else NOT_FOUND if op is None else NO_FRAME

    def layer(self, name: str) -> str:
        """The innermost Keras layer among the operation's scopes, to which tracing it again adds ``_1``."""
        parts = (part for whole in reversed(name.split("/")) for part in (whole, re.sub(r"_\d+$", "", whole)))
        return next((part for part in parts if part in self._layers), "")

    def _find(self, name: str) -> tf.Operation | None:
        """By name: if it was inlined, in the called function; if it is of a loop's body, in any function."""
        op = _lookup(self._graph, name)
        if op is not None:
            return op
        functions = dict(_functions(self._graph))
        function, _, inner = name.partition("/")
        if function in functions and (op := _lookup(functions[function], inner)) is not None:
            return op
        graph, rest = self._graph, name
        for _ in range(name.count("/")):
            caller, inner = _split(graph, rest)
            if caller is None:
                break
            graph, rest = functions.get(_callee(caller), graph), inner
            if (op := _lookup(graph, rest)) is not None:
                return op
        found = [op for inner, rest in _in_body(functions, name) if (op := _lookup(inner, rest)) is not None]
        if found:
            return found[0]
        # The exporter gives a loop's operations the names they have in the body: used where only one line fits.
        named = [op for inner in functions.values() if (op := _lookup(inner, name)) is not None]
        return named[0] if len({place_of(op.traceback) for op in named}) == 1 else None


def _in_body(functions: Mapping[str, tf.Graph], name: str) -> Iterator[tuple[tf.Graph, str]]:
    """Graphs whose name is in front of an operation's, as tf2onnx names those of a body: ``FUNCTION_OPERATION``.

    Freezing renames a function that reads variables: ``cond_true_12`` becomes ``cond_true_frozen_34``.
    """
    for function, inner in functions.items():
        stem = function.rpartition("_")[0] or function
        matched = re.match(rf"{re.escape(stem)}(?:_frozen)?_\d+_(.+)$", name)
        if matched:
            yield inner, matched[1]


def _lookup(graph: tf.Graph, name: str) -> tf.Operation | None:
    try:
        return graph.get_operation_by_name(name)
    except (KeyError, ValueError):
        return None


def _split(graph: tf.Graph, name: str) -> tuple[tf.Operation | None, str]:
    """The operation that is a prefix of an inlined name, and the rest of the name."""
    parts = name.split("/")
    for i in range(1, len(parts)):
        op = _lookup(graph, "/".join(parts[:i]))
        if op is not None and _callee(op):
            return op, "/".join(parts[i:])
    return None, name


def _callee(op: tf.Operation) -> str:
    if op.type not in ("PartitionedCall", "StatefulPartitionedCall"):
        return ""
    return str(op.get_attr("f").name)


def _functions(graph: tf.Graph) -> Iterator[tuple[str, tf.Graph]]:
    """Functions that a graph calls, whose graphs (with their operations' tracebacks) are still there."""
    for name, function in getattr(graph, "_functions", {}).items():
        inner = getattr(function, "graph", None)
        if inner is not None:
            yield str(name), inner
            yield from _functions(inner)
