"""Tests of thresholds in a config: known metrics, and those of one precision."""

from __future__ import annotations

import pytest

from trtbuild.core.validationspec import Validation


def test_a_threshold_is_set_on_a_known_metric() -> None:
    """A misspelt metric would never be checked, so it is refused."""
    with pytest.raises(ValueError, match="unknown metric 'max_ab'; did you mean 'max_abs'"):
        Validation(deviation={"max_ab": 0.1})


def test_limits_of_one_precision() -> None:
    """A number holds for all, a table for those it names, null for none."""
    validation = Validation(deviation={"max_abs": {"fp16": 0.1, "int8": 8.0}, "cosine": 0.99, "rmse": None})

    assert validation.limits("fp16") == {"max_abs": 0.1, "cosine": 0.99}
    assert validation.limits("fp32") == {"cosine": 0.99}
