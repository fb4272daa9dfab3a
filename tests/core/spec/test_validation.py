"""Tests of thresholds in a config: known metrics, and those of one precision."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.core.parse import parse
from trtbuild.core.spec.validation import BytesMoved, EngineBudget, EngineLimits, Task, Validation


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
        ({"task": {"metric": "top1", "labels": "y", "max_drop": 0, "max_class_drop": 5}}, "class_drop: 5 is above"),
        ({"task": {"metric": "m:f", "labels": "y", "max_drop": 0, "max_class_drop": 0.1}}, "m:f gives one number"),
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


def test_what_holds_for_the_engine_of_one_precision() -> None:
    """A number or a precision holds for all, a table for those it names; none is compared with itself."""
    limits = parse(
        EngineLimits, {"max_plan_mb": {"int8": 9}, "max_activation_mb": 20, "max_bytes_moved_vs": "fp16"}, "engine"
    )

    assert limits.budget("int8") == EngineBudget(9.0, 20.0, BytesMoved("fp16", 1.0))
    assert limits.budget("fp16") == EngineBudget(None, 20.0, None)
    assert not EngineLimits().budget("int8")


@pytest.mark.parametrize(
    "value",
    [{"precision": "fp16", "factor": 1.5}, {"int8": {"precision": "fp16", "factor": 1.5}, "bf16": "fp16"}],
)
def test_an_engine_may_move_a_multiple_of_another_ones_bytes(value: dict[str, Any]) -> None:
    """For all precisions, or by precision."""
    limits = parse(EngineLimits, {"max_bytes_moved_vs": value}, "engine")

    assert limits.budget("int8").moved == BytesMoved("fp16", 1.5)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"max_plan": 9}, "engine: unknown key 'max_plan'; did you mean 'max_plan_mb'?"),
        ({"max_plan_mb": 0}, "engine: max_plan_mb: 0 is not above 0"),
        ({"max_activation_mb": {"int8": -1}}, "engine: max_activation_mb.int8: -1 is not above 0"),
        ({"max_bytes_moved_vs": {"int8": "int8"}}, "max_bytes_moved_vs.int8: compares int8 with itself"),
        ({"max_bytes_moved_vs": {"precision": "fp16", "facto": 2}}, "unknown key 'facto'; did you mean 'factor'?"),
        ({"max_bytes_moved_vs": {"precision": "fp16", "factor": 0}}, "factor: 0 is not above 0"),
        ({"max_bytes_moved_vs": 2}, "engine.max_bytes_moved_vs: got 2, expected one of: text"),
    ],
)
def test_limits_of_engines_that_are_wrong(value: dict[str, Any], said: str) -> None:
    """One line says where and what."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse(EngineLimits, value, "engine")
