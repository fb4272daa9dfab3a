"""What a check found, for short."""

from __future__ import annotations

from typing import Any


def kinds(result: Any) -> list[str]:
    assert not result.error, result.error
    return [problem.op_type for problem in result.errors]
