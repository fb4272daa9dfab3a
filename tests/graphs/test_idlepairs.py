"""Tests of pairs of QuantizeLinear and DequantizeLinear that let nothing run quantised."""

from __future__ import annotations

import pytest

from tests.support.pairs import GRAPHS, Network, network
from trtbuild.graphs.idlepairs import idle


@pytest.mark.parametrize("name", GRAPHS)
def test_a_planted_pair_is_named(name: str) -> None:
    """And nothing in the same graph without it."""
    planted, plain = network(name), network(name, planted=False)
    quantisers = {node.name for node in planted.graph.node if node.op_type == "QuantizeLinear"}

    assert set(idle(planted)) and set(idle(planted)) <= quantisers
    assert idle(plain) == ()


def test_what_runs_quantised_between_two_pairs_is_not_idle() -> None:
    """Pooling, and the sum in front of a convolution; the second of two pairs with one scale is."""
    net = Network(True)
    first = net.op("Relu", net.conv("x", quantised=True))
    pooled = net.op("MaxPool", net.pair(first), kernel_shape=[2, 2], pads=[0, 0, 1, 1])
    both = net.op("Add", net.pair(first), net.pair(pooled))
    made = net.model(net.conv(both, quantised=True))

    assert idle(made) == ()


def test_quantised_values_that_leave_the_network_are_not_idle() -> None:
    """They are what was asked for."""
    net = Network(True)
    net.pair("x")
    made = net.model(net.nodes[0].output[0])
    del made.graph.node[1]

    assert idle(made) == ()
