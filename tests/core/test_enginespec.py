"""Tests of what calibration may be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from trtbuild.core.enginespec import Calibration


@pytest.mark.parametrize(
    "options", [{"bins": 7}, {"bins": 0}, {"percentile": 0.0}, {"percentile": 101.0}, {"batch": 0}]
)
def test_calibration_options_have_limits(options: dict[str, Any]) -> None:
    """A histogram halves its bins, a percentile lies in (0, 100], a batch holds a sample."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Calibration("percentile", **options)
