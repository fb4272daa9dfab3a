"""Tests of which operations draw random numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.graphs import graph
from trtbuild.sources import randomness

TRUE, FALSE, HALF = np.array(True), np.array(False), np.array(0.5, np.float32)


@pytest.mark.parametrize(
    ("kind", "random"),
    [
        ("RandomUniform", True), ("RandomStandardNormal", True), ("StatelessRandomUniformFullIntV2", True),
        ("StatefulStandardNormalV2", True), ("Multinomial", True), ("StatelessMultinomial", True),
        ("RandomShuffle", True), ("StatelessTruncatedNormalV2", True), ("RandomGamma", True),
        ("StatelessRandomGetKeyCounter", False), ("StatelessWhile", False), ("RandomDataset", False),
        ("ShuffleDatasetV3", False), ("UniformQuantize", False), ("FusedBatchNormV3", False),
    ],
)  # fmt: skip
def test_tensorflows_draws_are_known_by_type(kind: str, random: bool) -> None:
    """With a seed or without; helpers and data sets draw nothing for a network."""
    assert randomness.draws(kind) is random


def test_draws_in_the_bodies_of_loops_are_found() -> None:
    """By the function's name; a function that nothing calls is not part of the network."""

    def node(name: str, op: str, *functions: str) -> Any:
        called = [SimpleNamespace(name=f) for f in functions]
        value = SimpleNamespace(func=SimpleNamespace(name=""), list=SimpleNamespace(func=called))
        return SimpleNamespace(name=name, op=op, attr={"f": value})

    def function(name: str, *nodes: Any) -> Any:
        return SimpleNamespace(signature=SimpleNamespace(name=name), node_def=nodes)

    library = (
        function("body", node("noise", "RandomStandardNormal"), node("again", "While", "body")),
        function("unused", node("shuffle", "RandomShuffle")),
    )
    nodes = (node("loop", "While", "body"), node("a/drop", "RandomUniform"))
    made = SimpleNamespace(node=nodes, library=SimpleNamespace(function=library))

    assert randomness.in_graph_def(made) == {"a/drop": "RandomUniform", "body/noise": "RandomStandardNormal"}


@pytest.mark.parametrize(
    ("text", "constants", "found"),
    [
        ("{ r = RandomNormalLike(x) y = Add(x, r) }", {}, {"RandomNormalLike_0": "RandomNormalLike"}),
        ("{ r = RandomUniformLike<seed = 1.0>(x) y = Add(x, r) }", {}, {"RandomUniformLike_0": "RandomUniformLike"}),
        ("{ y = Bernoulli(x) }", {}, {"Bernoulli_0": "Bernoulli"}),
        ("{ y = Dropout(x, ratio, t) }", {"ratio": HALF, "t": TRUE}, {"Dropout_0": "Dropout"}),
        ("{ y = Dropout(x, ratio, t) }", {"ratio": HALF, "t": FALSE}, {}),
        ("{ y = Dropout(x, ratio, t) }", {"ratio": np.array(0.0, np.float32), "t": TRUE}, {}),
        ("{ y = Dropout(x) }", {}, {}),
        ("{ r = RandomNormalLike(x) y = Relu(x) }", {}, {}),
        ("{ r = RandomNormalLike(x) s = Shape(r) y = Reshape(x, s) }", {}, {}),
    ],
)  # fmt: skip
def test_nodes_that_draw_are_found_where_their_values_reach_an_output(
    text: str, constants: dict[str, Any], found: dict[str, str]
) -> None:
    """A Dropout draws only in training."""
    assert randomness.in_onnx(graph(f"float[2] x => float[2] y {text}", **constants)) == found


def test_a_branch_that_draws_is_found() -> None:
    """Nodes of bodies have names of their own."""
    model = graph("""float[2] x, bool c => float[2] y {
        y = If(c) <then_branch = a () => (float[2] p) { p = RandomNormalLike(x) },
                   else_branch = b () => (float[2] q) { q = Identity(x) }>
    }""")

    assert list(randomness.in_onnx(model).values()) == ["RandomNormalLike"]


def test_a_warning_names_the_first_and_counts_the_rest() -> None:
    """One line for a network of any size."""
    (said,) = randomness.warning({f"drop{i}": "RandomUniform" for i in range(5)}, "model.source")

    assert "RandomUniform drop0" in said.what and "and 2 more" in said.what and "training=False" in said.hint
    assert randomness.warning({}, "model.source") == []
