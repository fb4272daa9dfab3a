"""Tests of what calibration may be asked for."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from trtbuild.core.spec.engine import Calibration, Toolchain, _for_python


@pytest.mark.parametrize(
    "options", [{"bins": 7}, {"bins": 0}, {"percentile": 0.0}, {"percentile": 101.0}, {"batch": 0}, {"min_samples": 0}]
)
def test_calibration_options_have_limits(options: dict[str, Any]) -> None:
    """A histogram halves its bins, a percentile lies in (0, 100], a batch and a set hold a sample."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Calibration("percentile", **options)


@pytest.mark.parametrize(
    ("python", "held"), [((3, 10), ["a==1", "n==2.2"]), ((3, 11), ["a==1", "n==2.4"]), ((3, 13), ["a==1", "n==2.4"])]
)
def test_a_requirement_may_be_for_some_pythons(python: tuple[int, int], held: list[str]) -> None:
    """What is left out is no part of the recipe: keys are those of the packages that are there."""
    asked = ["a==1", "n==2.4 ; python_full_version >= '3.11'", "n==2.2 ; python_full_version < '3.11'"]

    assert [found for text in asked if (found := _for_python(text, python))] == held
    assert Toolchain("tensorrt-rtx", "1", tuple(asked), ()).requirements == tuple(
        found for text in asked if (found := _for_python(text, sys.version_info[:2]))
    )


@pytest.mark.parametrize(
    "text", ["numpy", "numpy>=2", "n==1 ; sys_platform == 'linux'", "n==1 ; python_full_version < 3.11", "n==1;x", ""]
)
def test_a_requirement_is_pinned_and_has_no_other_condition(text: str) -> None:
    """Nobody would notice that a condition is not understood."""
    with pytest.raises(ValueError, match="is not pinned"):
        Toolchain("tensorrt-rtx", "1", (text,), ())


@pytest.mark.parametrize("version", ["1/../../../x", "../x", "", "/x", "1 7"])
def test_a_version_is_one_part_of_a_path(version: str) -> None:
    """It names the folder of its environment."""
    with pytest.raises(ValueError, match="is not a version"):
        Toolchain("tensorrt-rtx", version, (), ())
