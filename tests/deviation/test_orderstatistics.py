"""Tests of exact percentiles over several passes, against numpy on the whole array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbuild.deviation import orderstatistics

Array = np.ndarray[Any, Any]
WANTED = [0, 33.3, 50, 90, 99, 99.9, 100]
VALUES = arrays.arrays(
    np.float64, st.integers(1, 60), elements=st.floats(0, 1e300) | st.sampled_from([0.0, 1.0, 5e-324])
)


def found(values: Array, monkeypatch: pytest.MonkeyPatch, held: int) -> list[float]:
    def blocks() -> Iterator[Array]:
        return iter(np.array_split(values, 4))

    monkeypatch.setattr(orderstatistics, "HELD_ELEMENTS", held)
    return orderstatistics.percentiles(blocks, len(values), WANTED)


@pytest.mark.parametrize("held", [0, 3, 1000])
def test_percentiles_are_numpys_to_the_last_bit(held: int) -> None:
    """However little fits in memory: sorted at once, after some passes, or decided by all 64 bits."""

    @given(VALUES)
    def check(values: Array) -> None:
        with pytest.MonkeyPatch.context() as patch:
            assert found(values, patch, held) == np.percentile(values, WANTED).tolist()

    check()


def test_equal_numbers_need_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million copies of one value are never in memory."""
    assert set(found(np.full(1_000_000, 0.1), monkeypatch, 10)) == {0.1}


def test_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers like errors: over many decades, with ties."""
    values = np.abs(np.random.default_rng(0).standard_normal(200_000) ** 5).astype(np.float16).astype(np.float64)

    assert found(values, monkeypatch, 1000) == np.percentile(values, WANTED).tolist()
