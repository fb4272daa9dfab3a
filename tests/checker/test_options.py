"""Tests of the arguments of a check: each mistake is one line that says what was meant."""

from __future__ import annotations

from typing import Any

import pytest

import trt_checker

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"precision": "float16"}, "unknown precision 'float16'; did you mean 'fp16'?"),
    ({"opset": "17"}, "'17' is not a whole number"),
    ({"limit_s": None}, "limit_s: None is not a number of seconds"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=[next(iter(given)) for given, _ in MISTAKES])
def test_a_mistake_is_said_and_is_no_fault_of_the_checker(arguments: dict[str, Any], says: str) -> None:
    """Status 2."""
    result = trt_checker.check("m.onnx", **arguments)

    assert says in result.error and "a fault" not in result.error and result.exit_status == 2
