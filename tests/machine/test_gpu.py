"""Tests of the GPU that engines need: refused by name before anything is built."""

from __future__ import annotations

import pytest

from trtbuild.base.errors import ToolchainError
from trtbuild.machine.gpu import Device, check_device, find_device, identity, require_device

HOPPER = Device("a GPU", "9.0", "580.1")


def test_a_supported_device_is_taken() -> None:
    """With and without a target that names it."""
    check_device(HOPPER, ["8.9", "9.0"], [])
    check_device(HOPPER, ["8.9", "9.0"], ["9.0"])


@pytest.mark.parametrize(
    ("supported", "wanted", "why"),
    [(["8.9"], [], "does not support; it supports 8.9"), (["8.9", "9.0"], ["8.9"], "compute capability 9.0, not 8.9")],
)
def test_another_device_is_an_environment_error(supported: list[str], wanted: list[str], why: str) -> None:
    """The line says what it is and what it should be."""
    with pytest.raises(ToolchainError) as error:
        check_device(HOPPER, supported, wanted)

    assert why in str(error.value)


@pytest.mark.skipif(find_device() is not None, reason="a GPU is here")
def test_without_a_device_the_line_says_what_builds_without_one() -> None:
    """On this machine."""
    with pytest.raises(ToolchainError, match="no NVIDIA") as error:
        require_device()

    assert "tensorrt=rtx-1.7" in error.value.hint


def test_no_device_has_an_identity_too() -> None:
    """So that a plan can be made without one, and is another plan."""
    assert set(identity(None)) == set(identity(HOPPER))
    assert identity(HOPPER) == {"gpu": "a GPU", "compute_capability": "9.0", "driver": "580.1"}
