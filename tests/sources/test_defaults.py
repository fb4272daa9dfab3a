"""Tests of dropout that keeps everything, in a frozen and folded GraphDef."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trtbuild.sources import defaults

pytestmark = pytest.mark.slow
tf = pytest.importorskip("tensorflow")

X = np.arange(6, dtype=np.float32)
FORMS: dict[str, Callable[[Any, Any, float], Any]] = {
    "select": lambda x, u, rate: tf.where(u >= rate, x, 0.0),
    "product": lambda x, u, rate: x * tf.cast(u >= rate, tf.float32),
    "floor": lambda x, u, rate: x * tf.floor((1.0 - rate) + u),
    "floor of what is scaled": lambda x, u, rate: tf.floor((u * 1.0 + 0.0) + (1.0 - rate)) * x,
}


def settled(form: str, rate: float) -> tuple[set[str], Any]:
    """Operations that are left, and the result."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [6], "x")
        tf.identity(FORMS[form](x, tf.compat.v1.random_uniform([6]), rate), "y")
    graph_def = defaults.settle_dropout(graph.as_graph_def(), ["x:0", "y:0"])
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return {node.op for node in graph_def.node}, session.run("y:0", {"x:0": X})


@pytest.mark.parametrize("form", FORMS)
def test_dropout_at_rate_0_is_nothing(form: str) -> None:
    """Nothing is drawn any more, in the form of each version of TensorFlow 1."""
    kinds, result = settled(form, 0.0)

    assert "RandomUniform" not in kinds and result.tolist() == X.tolist()


@pytest.mark.parametrize("form", FORMS)
def test_dropout_that_drops_stays(form: str) -> None:
    """It has its own warning elsewhere."""
    assert "RandomUniform" in settled(form, 0.25)[0]
