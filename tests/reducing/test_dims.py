"""Tests of smaller sizes."""

from __future__ import annotations

import numpy as np

from tests.reducing.graphs import Contains
from tests.support.graphs import constants, graph
from trtbuild.reducing import dims

FOREVER = 1e12


def test_sizes_become_small_everywhere_at_once() -> None:
    """Of input, weight and shape constant."""
    text = "float[1,48,9] x => float[1,48,9] y { z = Add(x, w) y = Reshape(z, s) }"
    model = graph(text, w=np.ones((48, 9), np.float32), s=np.array([1, 48, 9]))
    found = dims.smaller(model, Contains("Reshape").shows, FOREVER)

    assert constants(found)["s"].tolist() == [1, 2, 2] and constants(found)["w"].shape == (2, 2)


def test_a_size_that_would_not_fit_is_not_offered() -> None:
    """Seven and five are twelve, two and five are not."""
    text = "float[7] x, float[5] z => float[12] y { c = Concat <axis = 0> (x, z) y = Add(c, w) }"
    assert dims.with_size(graph(text, w=np.ones(12, np.float32)), 7, 2) is None
