"""Tests of reductions in long runs of memory."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from trtbuild.deviation.accumulate import reduced


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 40), (2, 5, 7, 3), (1, 4, 3, 50), (2, 3, 1, 2, 2)])
def test_it_is_the_reduction(shape: tuple[int, ...]) -> None:
    """Over any axes."""
    array = np.random.default_rng(0).standard_normal(shape)
    for axes in chain.from_iterable(combinations(range(len(shape)), n) for n in range(len(shape) + 1)):
        assert np.array_equal(reduced(np.maximum, array, axes), array.max(axis=axes))
        np.testing.assert_allclose(reduced(np.add, array, axes), array.sum(axis=axes), rtol=1e-12, atol=1e-12)
