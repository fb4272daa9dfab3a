"""Tests of what a step needs of a worker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.fakes import step
from trtbuild.core.demand import SHARE, bound, device_label, lacking, needs
from trtbuild.core.step import Step

CPU = {"machine": "x86_64", "cpu": "AMD EPYC", "cores": 2, "cpu_quota": "none"}
GPU = {"gpu": "NVIDIA L4", "compute_capability": "8.9"}


def test_a_plain_step_takes_memory_and_a_share_of_the_machine() -> None:
    """As much memory as its estimate."""
    assert needs(replace(step("lower"), memory_bytes=10**9)) == {"memory": 1e9, "machine": SHARE}


@pytest.mark.parametrize(
    ("slot", "machine", "gpu"),
    [("exclusive", 1.0, None), ("gpu", SHARE, SHARE), ("gpu-exclusive", SHARE, 1.0)],
)
def test_slots(slot: str, machine: float, gpu: float | None) -> None:
    """A whole one is free only when nobody has a share."""
    needed = needs(replace(step("a"), slot=slot))  # type: ignore[arg-type]

    assert (needed["machine"], needed.get("gpu")) == (machine, gpu)


def test_shares_add_up() -> None:
    """Exactly, in whatever order they are given back."""
    left = 1.0
    for _ in range(1000):
        left -= SHARE
    for _ in range(1000):
        left += SHARE
    assert left == 1.0


def test_the_exact_libraries_of_a_recipe() -> None:
    """A worker with another version would record other bytes under that recipe."""
    needed = needs(step("lower", tools={"numpy": "2.4.6", "keras": "absent"}))

    assert needed["numpy==2.4.6"] == SHARE
    assert lacking(needed, {"memory": 1e9, "machine": 1.0, "numpy==2.3.0": 1.0}) == ["numpy==2.4.6"]


def native(**more: object) -> Step:
    params = {"flavour": "tensorrt", "compute_capabilities": ["8.9"], **more}
    return replace(step("engine", **params), slot="gpu-exclusive", environment="toolchain")


def test_the_engine_of_a_target_needs_its_gpu() -> None:
    """The whole of it, since tactics are timed."""
    needed = needs(native())

    assert (needed["gpu"], needed["sm89"], needed["tensorrt"]) == (1.0, SHARE, SHARE)
    assert not bound(needed)


def test_a_measurement_needs_the_device_of_its_recipe() -> None:
    """Alone on its machine and its GPU; an estimate's device is a data sheet."""
    alone = replace(step("latency", device={**CPU, **GPU}), slot="exclusive")

    assert needs(alone)["gpu"] == needs(alone)["machine"] == 1.0
    assert bound(needs(alone)) == {device_label({**GPU, **CPU})}
    assert not bound(needs(step("estimate", device={"name": "orin"})))
