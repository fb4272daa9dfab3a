"""What was registered: names of inputs and outputs by the graph they belong to, each once; knows no TensorFlow.

Only names and weak references are held: a record that held a tensor would keep its graph, or its model, alive forever.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from trtbuild.checker.places import traced_function

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    References = dict[str, weakref.ref[keras.KerasTensor]]

Side = Literal["inputs", "outputs"]
_COUNT = itertools.count(1)
# Keras throws away the graph in which it runs a model to learn shapes, so the last few are kept.
KEPT_GRAPHS = 8


@dataclass
class Registration:
    """Tensors of one graph: chosen name -> tensor name; ``latest`` orders the records, ``sites`` are the calls.

    ``function`` refers to the tf.function that was being traced, None where there was none.
    """

    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    latest: int = 0
    sites: frozenset[tuple[str, int]] = frozenset()
    function: weakref.ref[tf.types.experimental.PolymorphicFunction] | None = None


@dataclass
class Symbolic:
    """Keras tensors, which belong to no graph: chosen name -> weak reference."""

    inputs: References = field(default_factory=dict)
    outputs: References = field(default_factory=dict)

    def alive(self, side: Side) -> dict[str, keras.KerasTensor]:
        return {name: tensor for name, ref in getattr(self, side).items() if (tensor := ref()) is not None}


class Registry:
    """Every graph in which something was registered and that is still alive."""

    def __init__(self) -> None:
        self._graphs: weakref.WeakKeyDictionary[tf.Graph, Registration] = weakref.WeakKeyDictionary()
        self._kept: list[tf.Graph] = []
        self._lock = threading.Lock()
        self.symbolic = Symbolic()
        self.mistakes: list[str] = []  # what cannot be checked, each once; the next check reports it

    def add(self, side: Side, value: object, name: str | None, site: tuple[str, int]) -> None:
        """Note a tensor, or every tensor of a list, tuple or dict."""
        if isinstance(value, dict):
            for key, part in value.items():
                self.add(side, part, f"{name}_{key}" if name else str(key), site)
            return
        if isinstance(value, (list, tuple)):
            for i, part in enumerate(value):
                self.add(side, part, f"{name}_{i}" if name else None, site)
            return
        with self._lock:
            if is_symbolic(value):
                self._add_symbolic(side, value, name)
            elif (graph := _graph_of(value)) is None:
                self._mistake(side, value, site)
            else:
                self._add(side, graph, value, name, site)

    def _add(self, side: Side, graph: tf.Graph, tensor: tf.Tensor, name: str | None, site: tuple[str, int]) -> None:
        found = self._graphs.setdefault(graph, Registration())
        self._kept = [*(kept for kept in self._kept if kept is not graph), graph][-KEPT_GRAPHS:]
        found.latest, found.sites = next(_COUNT), found.sites | {site}
        traced = traced_function()
        found.function = None if traced is None else weakref.ref(traced)
        names: dict[str, str] = getattr(found, side)
        if tensor.name not in names.values():
            names[_fresh(name or _short(tensor.name), names)] = tensor.name

    def _add_symbolic(self, side: Side, tensor: keras.KerasTensor, name: str | None) -> None:
        refs: References = {n: ref for n, ref in getattr(self.symbolic, side).items() if ref() is not None}
        if not any(ref() is tensor for ref in refs.values()):
            refs[_fresh(name or _short(str(tensor.name)), refs)] = weakref.ref(tensor)
        setattr(self.symbolic, side, refs)

    def _mistake(self, side: Side, value: object, site: tuple[str, int]) -> None:
        what = "an eager tensor, which has a value and belongs to no graph" if hasattr(value, "numpy") else (
            f"a {type(value).__name__}, which is not a tensor"
        )  # fmt: skip
        line = f"register_{side[:-1]} at {site[0]}:{site[1]} was given {what}"
        if line not in self.mistakes:
            self.mistakes.append(line)

    def graphs(self) -> list[tuple[tf.Graph, Registration]]:
        """Graphs and their records, the latest last."""
        return sorted(self._graphs.items(), key=lambda pair: pair[1].latest)

    def clear(self) -> None:
        with self._lock:
            self._graphs.clear()
            self._kept, self.symbolic, self.mistakes = [], Symbolic(), []


def is_symbolic(value: object) -> bool:
    """Whether it is a KerasTensor, which stands for a value that is not in a graph yet."""
    return any(kind.__name__ == "KerasTensor" for kind in type(value).__mro__)


def _graph_of(value: object) -> tf.Graph | None:
    """The graph of a symbolic tensor; an eager tensor refuses the question, and other objects do not know it."""
    try:
        graph, name = getattr(value, "graph", None), getattr(value, "name", None)
        return graph if isinstance(name, str) and hasattr(value, "op") else None
    except (AttributeError, NotImplementedError):
        return None


def _short(name: str) -> str:
    op, _, port = name.partition(":")
    return op.rpartition("/")[2] + (f"_{port}" if port not in ("", "0") else "")


def _fresh(name: str, taken: Collection[str]) -> str:
    chosen, count = name, 2
    while chosen in taken:
        chosen, count = f"{name}_{count}", count + 1
    return chosen


REGISTRY = Registry()
