"""Tests of what a worker offers: exactly what the steps of a variant for its device need."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trtbuild.base.errors import ToolchainError
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import Planned, plan_overrides
from trtbuild.building.run import unfit_steps
from trtbuild.core.demand import bound, lacking, needs
from trtbuild.core.step import Step
from trtbuild.machine import gpu

pytest.importorskip("distributed")
from trtbuild.workers import lab

ROOT = Path(__file__).resolve().parents[2]
L4 = gpu.Device("NVIDIA L4", "8.9", "580.95.05")
NATIVE = ("model=lenet", "precision=fp16", "tensorrt=10.13", "runtime=tensorrt", "target=sm89", "executor=dask")


def planned(*words: str) -> Planned:
    return plan_overrides(Workspace(ROOT), words, sweep=False, files=False)


def on_device(monkeypatch: pytest.MonkeyPatch, device: gpu.Device | None = L4) -> None:
    monkeypatch.setattr(gpu, "find_device", lambda: device)


def named(device: dict[str, object]) -> list[str]:
    return [f"+executor.device.{key}='{value}'" for key, value in device.items() if key != "cores"] + [
        f"+executor.device.cores={device['cores']}"
    ]


def steps(*words: str) -> dict[str, Step]:
    return {step.kind: step for step in planned(*words).plan.steps}


def test_a_device_takes_every_step_that_is_planned_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver has no GPU; what the device prints of itself is in the config."""
    with monkeypatch.context() as there:
        on_device(there)
        offered, identity = lab.offers(10**12), lab.identity()
    on_device(monkeypatch, None)
    p = planned(*NATIVE, *named(identity))
    found = {step.kind: step for step in p.plan.steps}

    assert {kind: lacking(needs(step), offered) for kind, step in found.items() if lacking(needs(step), offered)} == {}
    assert needs(found["engine"])["sm89"] and needs(found["infer"])["gpu"] == needs(found["latency"])["gpu"] == 1.0
    assert unfit_steps(p) == {}


def test_another_device_takes_none_that_computes_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine, inference and latency wait for the device that they are for."""
    with monkeypatch.context() as there:
        on_device(there)
        identity = lab.identity()
    on_device(monkeypatch, gpu.Device("NVIDIA RTX A6000", "8.6", "580.95.05"))
    offered = lab.offers(10**12)

    refused = {kind for kind, step in steps(*NATIVE, *named(identity)).items() if lacking(needs(step), offered)}
    assert refused == {"engine", "infer", "latency"}


@pytest.mark.parametrize(("configured", "allowed"), [(300.0, lab.SILENCE_S), (20.0, 20.0), (None, None)])
def test_a_scheduler_gives_up_on_silent_workers(configured: float | None, allowed: float | None) -> None:
    """Sooner than Dask does, unless its own config says when."""
    look = SimpleNamespace(callback_time=configured)
    scheduler: Any = SimpleNamespace(worker_ttl=configured, periodic_callbacks={"worker-ttl": look})
    asyncio.run(lab.dask_setup(scheduler))

    assert scheduler.worker_ttl == allowed and scheduler.allowed_failures == 2
    assert look.callback_time == (15000.0 if configured == 300.0 else configured)


def test_the_gpu_of_a_recipe_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything runs."""
    on_device(monkeypatch, None)
    errors = unfit_steps(planned(*NATIVE))

    assert {type(error) for error in errors.values()} == {ToolchainError}
    assert "executor.device" in str(next(iter(errors.values())))


def test_a_machine_without_gpu_takes_the_default_build() -> None:
    """All of it, its own latency included; only that and the report may be bound to a machine."""
    found, offered = steps("model=lenet", "executor=dask"), lab.offers(10**12)

    assert {kind: lacking(needs(step), offered) for kind, step in found.items() if lacking(needs(step), offered)} == {}
    assert {kind for kind, step in found.items() if bound(needs(step))} == {"latency", "report"}


def test_cuda_has_a_package_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with a GPU whose ONNX Runtime is the one without CUDA takes no step that runs a graph on it."""
    with monkeypatch.context() as there:
        on_device(there)
        identity, without = lab.identity(), lab.offers(10**12)
        there.setattr(lab, "version", lambda package: "1.31.1")
        offered = lab.offers(10**12)
    on_device(monkeypatch, None)
    found = steps("model=lenet", "runtime=onnxruntime-cuda", "executor=dask", *named(identity))

    refused = {kind: lack for kind, step in found.items() if (lack := lacking(needs(step), without))}
    assert refused == {kind: ["onnxruntime-gpu"] for kind in ("infer", "layers", "latency")}
    assert not any(lacking(needs(step), offered) for step in found.values())
