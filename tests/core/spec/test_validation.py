"""Tests of thresholds in a config: known metrics, and those of one precision."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.core.parse import parse
from trtbuild.core.spec.validation import Task, Validation


def test_a_threshold_is_set_on_a_known_metric() -> None:
    """A misspelt metric would never be checked, so it is refused."""
    with pytest.raises(ValueError, match="unknown metric 'max_ab'; did you mean 'max_abs'"):
        Validation(deviation={"max_ab": 0.1})


def test_limits_of_one_precision() -> None:
    """A number holds for all, a table for those it names, null for none."""
    validation = Validation(deviation={"max_abs": {"fp16": 0.1, "int8": 8.0}, "cosine": 0.99, "rmse": None})

    assert validation.limits("fp16") == {"max_abs": 0.1, "cosine": 0.99}
    assert validation.limits("fp32") == {"cosine": 0.99}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"deviation": {"cosine": {"int8": 1.5}}}, "deviation.cosine.int8: 1.5 is above 1, which cosine never is"),
        ({"deviation": {"cosine": -2}}, "deviation.cosine: -2 is below -1"),
        ({"deviation": {"max_abs": {"fp16": -0.1}}}, "deviation.max_abs.fp16: -0.1 is below 0"),
        ({"export": {"rmse": -1}}, "export.rmse: -1 is below 0"),
        ({"export": {"exact_share": 2}}, "export.exact_share: 2 is above 1"),
        ({"export": {"cosin": 1}}, "export: unknown metric 'cosin'; did you mean 'cosine'?"),
        ({"task": {"metric": "top2", "labels": "y", "max_drop": 0}}, "unknown metric 'top2'; did you mean 'top1'?"),
        ({"task": {"metric": "top1", "labels": "y", "max_drop": 1.5}}, "max_drop: 1.5 is above 1"),
        ({"task": {"metric": "mse", "labels": "y", "max_drop": -0.5}}, "max_drop: -0.5 is below 0"),
    ],
)
def test_what_could_never_hold_or_never_fail_is_refused(value: dict[str, Any], said: str) -> None:
    """Where it is written, and before anything is built."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse(Validation, value, "model.validation")


@pytest.mark.parametrize("metric", ["package.module:name", "package.name", "mse"])
def test_a_drop_of_what_has_no_bounds_has_none(metric: str) -> None:
    """A callable's score, and a squared error, are in units of their own."""
    assert parse(Task, {"metric": metric, "labels": "y", "max_drop": 7}, "task").max_drop == 7.0
