"""What tests with real networks share: nothing is registered before or after one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import trt_checker


@pytest.fixture
def nothing_registered() -> Iterator[None]:
    trt_checker.clear()
    yield
    trt_checker.clear()
