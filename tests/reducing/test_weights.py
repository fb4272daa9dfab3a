"""Tests of the user's numbers, and of those that replace them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.graphs import graph
from trtbuild.reducing import weights


@pytest.mark.parametrize(
    ("old", "low", "high"),
    [(np.full(8, 3.0, np.float32), 0.5, 4.0), (np.array([-3.0, 1.0], np.float16), -4.0, 4.0),
     (np.array([-100, 90, 4], np.int8), -128.0, 127.0), (np.arange(200), 0.0, 199.0)],
)  # fmt: skip
def test_numbers_are_drawn_in_the_range_of_the_old_ones(old: np.ndarray, low: float, high: float) -> None:
    """Same dtype and shape, same signs, same power of two; never the same numbers."""
    new = weights.drawn(old, 1)

    assert (new.dtype, new.shape) == (old.dtype, old.shape)
    assert low <= new.min() and new.max() <= high and not np.array_equal(new, old)


def test_shapes_axes_and_scales_of_a_resize_are_not_weights() -> None:
    """They say how, not what; a long table of integers is the user's."""
    text = "float[1,1,4,4] x => float[1,1,8,8] y { r = Resize(x, , scales) y = Reshape(r, shape) }"
    own = {"scales": np.array([1, 1, 2, 2], np.float32), "shape": np.array([1, 1, 8, 8]), "table": np.arange(99)}
    model = graph(text, **own)
    names = [t.name for t in weights.tensors(model.graph)]

    assert [names[place] for place in weights.own_values(model)] == ["table"]
