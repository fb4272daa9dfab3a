"""Tests of registration, without TensorFlow: whatever has a graph, an op and a name is a tensor."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

from trtbuild.checker.registry import KEPT_GRAPHS, Registry

SITE = ("train.py", 7)


class Graph:
    """Stands for a tf.Graph."""


def tensor(graph: Graph, name: str) -> Any:
    return SimpleNamespace(graph=graph, name=name, op=None)


def test_inputs_and_outputs_are_kept_by_graph() -> None:
    """Under the last part of their names."""
    registry, graph = Registry(), Graph()
    registry.add("inputs", tensor(graph, "net/input:0"), None, SITE)
    registry.add("outputs", tensor(graph, "net/split:1"), None, SITE)
    ((_, record),) = registry.graphs()

    assert (record.inputs, record.outputs) == ({"input": "net/input:0"}, {"split_1": "net/split:1"})


def test_registering_twice_is_registering_once() -> None:
    """Another tensor of the same short name is another input."""
    registry, graph = Registry(), Graph()
    for name in ("a/x:0", "a/x:0", "b/x:0"):
        registry.add("inputs", tensor(graph, name), None, SITE)

    assert registry.graphs()[0][1].inputs == {"x": "a/x:0", "x_2": "b/x:0"}


def test_lists_and_dictionaries_are_registered_one_by_one() -> None:
    """A dictionary's keys are the names."""
    registry, graph = Registry(), Graph()
    registry.add("outputs", {"box": tensor(graph, "b:0"), "score": [tensor(graph, "s:0")]}, None, SITE)

    assert registry.graphs()[0][1].outputs == {"box": "b:0", "score_0": "s:0"}


def test_what_is_no_tensor_is_remembered_with_its_line() -> None:
    """The next check reports it; nothing is raised in the training."""
    registry = Registry()
    registry.add("inputs", "x", None, SITE)
    registry.add("inputs", "x", None, SITE)

    assert registry.mistakes == ["register_input at train.py:7 was given a str, which is not a tensor"]


def test_a_graph_that_is_gone_is_forgotten() -> None:
    """Only the last few are kept."""
    registry = Registry()
    for i in range(KEPT_GRAPHS + 3):
        registry.add("inputs", tensor(Graph(), f"x{i}:0"), None, SITE)
    gc.collect()

    assert next(record.inputs for _, record in registry.graphs()) == {"x3": "x3:0"}


def test_clear_forgets_everything() -> None:
    """Mistakes, too."""
    registry, graph = Registry(), Graph()
    registry.add("inputs", tensor(graph, "x:0"), None, SITE)
    registry.add("inputs", 1, None, SITE)
    registry.clear()

    assert (registry.graphs(), registry.mistakes) == ([], [])
