"""Tests of sets of samples in a config."""

from __future__ import annotations

import pytest

from trtbuild.core.spec.data import RandomData


def test_random_data_draws_at_least_one() -> None:
    """No sample is no data."""
    with pytest.raises(ValueError, match="count: 0"):
        RandomData(count=0)
