"""Tests of the operations that the exporter is known to get wrong; TensorFlow's graphs are real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trtbuild.sources import exporterfaults
from trtbuild.sources.standins import StandIns

pytestmark = pytest.mark.slow
tf = pytest.importorskip("tensorflow")
IMAGE, INTEGERS, FLOATS = ("float32", [1, 8, 8, 4]), ("int32", [None, 4]), ("float32", [None, 4])


def found(network: Callable[[Any], Any], dtype: str, shape: list[int | None]) -> list[str]:
    """Types of the operations that are named, in a graph as it is exported: frozen, and optimised."""
    from trtbuild.sources.tfmodel import TfModel
    from trtbuild.sources.tfonnx import _freeze

    spec = tf.TensorSpec(shape, dtype, "x")
    function = tf.function(lambda x: {"y": network(x)}, autograph=False).get_concrete_function(spec)
    return [fault.kind for fault in exporterfaults.faults(_freeze(TfModel(function, ("x",), ("y",)), StandIns())[0])]


LEGACY = {"size": [13, 11], "half_pixel_centers": False}
WRONG: dict[str, tuple[str, tuple[str, list[int | None]], Callable[[Any], Any]]] = {
    "area": ("ResizeArea", IMAGE, lambda x: tf.image.resize(x, [4, 4], "area")),
    "legacy bicubic": ("ResizeBicubic", IMAGE, lambda x: tf.raw_ops.ResizeBicubic(images=x, **LEGACY)),
    "saturation": ("AdjustSaturation", IMAGE, lambda x: tf.image.adjust_saturation(x[..., :3], 1.5)),
    "floordiv": ("FloorDiv", INTEGERS, lambda x: x // 3),
    "floordiv by a negative number": ("FloorDiv", INTEGERS, lambda x: tf.abs(x) // -3),
    "ceiling of a size": ("FloorDiv", INTEGERS, lambda x: -(-tf.shape(x)[0] // 2)),
    "floormod": ("FloorMod", INTEGERS, lambda x: x % 3),
    "floordiv of a rounded float": ("FloorDiv", FLOATS, lambda x: tf.cast(x, tf.int32) // 2),
    "top_k of integers": ("TopKV2", INTEGERS, lambda x: tf.math.top_k(x, 2)[0]),
    "sort of integers": ("TopKV2", INTEGERS, tf.sort),
    "comparison": ("Less", INTEGERS, lambda x: x < 2**24 + 1),
    "bfloat16": ("Cast", FLOATS, lambda x: tf.cast(tf.nn.relu(tf.cast(x, tf.bfloat16)), tf.float32)),
    "scatter_nd": ("ScatterNd", INTEGERS, lambda x: tf.scatter_nd(x[:, :1], tf.cast(x, tf.float32), [9, 4])),
    "one_hot": ("OneHot", INTEGERS, lambda x: tf.one_hot(x, 5)),
    "max_pool over channels": ("MaxPool", IMAGE, lambda x: tf.nn.max_pool(x, [1, 1, 1, 2], [1, 1, 1, 2], "SAME")),
}  # fmt: skip
RIGHT: dict[str, tuple[tuple[str, list[int | None]], Callable[[Any], Any]]] = {
    "bicubic": (IMAGE, lambda x: tf.image.resize(x, [13, 11], "bicubic")),
    "floordiv of floats": (FLOATS, lambda x: x // 3.0),
    "half of a size": (INTEGERS, lambda x: tf.reshape(x, [tf.shape(x)[0] // 2, -1])),
    "row of a position": (FLOATS, lambda x: tf.argmax(x, -1) // 2),
    "row of a top position": (FLOATS, lambda x: tf.math.top_k(x, 2)[1] // 2),
    "floordiv of bytes": (("uint8", [4]), lambda x: tf.cast(x, tf.int32) // 3),
    "top_k of floats": (FLOATS, lambda x: tf.math.top_k(x, 2)[0]),
    "scatter_nd of constant positions": (FLOATS, lambda x: tf.scatter_nd([[2], [0]], x[:2], [3, 4])),
    "added scatter": (FLOATS, lambda x: tf.tensor_scatter_nd_add(x, [[0], [0]], x[:2])),
    "one_hot of a class": (FLOATS, lambda x: tf.one_hot(tf.argmax(x, -1), 4)),
    "mask": (INTEGERS, lambda x: tf.sequence_mask(x[:, 0], 8)),
    "max_pool": (IMAGE, lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_the_exporter_gets_wrong_is_named(name: str) -> None:
    """Each by TensorFlow's name of it; the suite has what comes out."""
    kind, (dtype, shape), network = WRONG[name]

    assert kind in found(network, dtype, shape)


@pytest.mark.parametrize("name", RIGHT)
def test_what_it_gets_right_is_not(name: str) -> None:
    """Sizes and positions are not below zero, constants can be looked at."""
    (dtype, shape), network = RIGHT[name]

    assert not found(network, dtype, shape)


def test_constant_positions_that_repeat_are_wrong_for_sure() -> None:
    """No data is needed to know."""

    def network(x: Any) -> Any:
        return {"y": tf.scatter_nd([[1], [1]], x[:2], [3, 4])}

    graph = tf.function(network, autograph=False).get_concrete_function(tf.TensorSpec([None, 4], "float32", "x")).graph
    (said,) = exporterfaults.warnings(graph.as_graph_def().SerializeToString())

    assert said["what"].startswith("the exporter may be wrong at ScatterNd 'ScatterNd': indices repeat here")
    assert "unsorted_segment_sum" in said["hint"]
