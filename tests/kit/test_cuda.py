"""Tests of the GPU that a native build needs: refused by name before anything is built."""

from __future__ import annotations

import pytest

from trtbuild.errors import ToolchainError
from trtbuild.kit.cuda import Device, check_device, find_device

HOPPER = Device("a GPU", "9.0")


def test_a_supported_device_is_taken() -> None:
    """With and without a target that names it."""
    assert check_device(["8.9", "9.0"], [], HOPPER) is HOPPER
    assert check_device(["8.9", "9.0"], ["9.0"], HOPPER) is HOPPER


@pytest.mark.parametrize(
    ("supported", "wanted", "why"),
    [(["8.9"], [], "does not support; it supports 8.9"), (["8.9", "9.0"], ["8.9"], "compute capability 9.0, not 8.9")],
)
def test_another_device_is_an_environment_error(supported: list[str], wanted: list[str], why: str) -> None:
    """The line says what it is and what it should be."""
    with pytest.raises(ToolchainError) as error:
        check_device(supported, wanted, HOPPER)

    assert why in str(error.value)


@pytest.mark.skipif(find_device() is not None, reason="a GPU is here")
def test_without_a_device_the_line_says_what_builds_without_one() -> None:
    """On this machine."""
    with pytest.raises(ToolchainError, match="no NVIDIA GPU is here") as error:
        check_device(["9.0"], [])

    assert "tensorrt=rtx-1.7" in error.value.hint
