"""Whether this machine has the GPU that a variant's steps need: checked before a build, not while planning."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from trtbuild.base.errors import ToolchainError
from trtbuild.core.demand import CUDA_PACKAGE
from trtbuild.core.explain import Judgement
from trtbuild.core.spec import Variant
from trtbuild.core.step import Step
from trtbuild.machine import gpu

# What RTX 1.7 says about a plan for its default targets: "Supported compute capabilities: 8.0 8.6 8.9 12.0 12.1 >12.0".
NOT_PORTABLE = ("7.5",)


def needs_gpu(step: Step) -> bool:
    """Whether a step computes on a GPU: an engine of the flavour tensorrt, or any step with a GPU in its recipe."""
    device = step.params.get("device")
    if step.kind == "engine":
        return step.params["flavour"] == "tensorrt"
    return isinstance(device, Mapping) and "gpu" in device


def unfit(variant: Variant, roles: Mapping[str, Step], judged: Mapping[str, Judgement]) -> dict[str, ToolchainError]:
    """Steps that have to run but cannot, by key, with the reason; empty if the variant can be built.

    Results that are here, in the cache or recorded for a remote need no GPU.  On a cluster, workers have it; the
    recipes only have to name one that the engine is for.
    """
    waiting = [
        step
        for step in roles.values()
        if needs_gpu(step) and judged[step.key].state in ("stale", "missing") and not judged[step.key].restorable
    ]
    if not waiting:
        return {}
    try:
        if variant.spec.executor.module == "local":
            check_machine(variant, builds=any(step.kind == "engine" for step in waiting))
        else:
            _check_named(variant)
    except ToolchainError as error:
        return {step.key: error for step in waiting}
    return {}


def _check_named(variant: Variant) -> None:
    """Check the GPU that recipes name, which a worker is to have; a native engine's is its target.

    Raises:
        ToolchainError: none is named, or one that the toolchain does not support.
    """
    if variant.spec.runtime.engine is None and not variant.spec.runtime.on_gpu:
        return
    named = variant.gpu
    if named.get("gpu") is None:
        what, hint = "the GPU of a worker that computes it is not named", "docs/cluster.md says how"
        raise ToolchainError(what, where="executor.device", hint=hint)
    _check_executes(gpu.Device(str(named["gpu"]), str(named.get("compute_capability"))), variant)


def check_machine(variant: Variant, *, builds: bool) -> None:
    """Check this machine's GPU against a variant's requirements.

    Args:
        builds: whether its engine, of the flavour tensorrt, has to be built here.

    Raises:
        ToolchainError: no driver, no GPU, the wrong one, or an ONNX Runtime without CUDA.
    """
    spec, chosen = variant.spec, f"runtime={variant.names.runtime}"
    if spec.runtime.engine is not None:
        hint = "run it on a machine with a GPU, or choose runtime=onnxruntime, which runs the graph on the CPU"
        device = gpu.require_device("engines are executed on one", chosen, hint)
        _check_executes(device, variant)
    if spec.runtime.on_gpu:
        gpu.require_device("CUDA computes on one", chosen, "run it on a machine with a GPU, or runtime=onnxruntime")
        _check_package(chosen)
    if builds:
        device = gpu.require_device()
        wanted = spec.target.compute_capabilities
        gpu.check_device(device, spec.tensorrt.compute_capabilities, wanted, _title(variant))


def _title(variant: Variant) -> str:
    return f"{variant.spec.tensorrt.flavour} {variant.spec.tensorrt.version}"


def _check_executes(device: gpu.Device, variant: Variant) -> None:
    """That a GPU can execute the engine, if the variant has it executed."""
    if variant.spec.runtime.engine is not None:
        title = _title(variant)
        gpu.check_device(device, variant.spec.tensorrt.compute_capabilities, _wanted(variant), title)
        _check_portable(device, variant, title)


def _check_portable(device: gpu.Device, variant: Variant, title: str) -> None:
    """RTX's default set of targets is smaller than what it supports: it leaves out Turing."""
    spec = variant.spec
    portable = spec.tensorrt.flavour == "tensorrt-rtx" and not spec.target.compute_capabilities
    if portable and device.compute_capability in NOT_PORTABLE:
        what = f"{device.name} has compute capability {device.compute_capability}, which {title} leaves out by default"
        hint = f"build for it: target=sm{device.compute_capability.replace('.', '')}"
        raise ToolchainError(what, where=f"target={variant.names.target}", hint=hint)


def _wanted(variant: Variant) -> tuple[str, ...]:
    """Compute capabilities that the engine is for; none for one that is compatible with other hardware."""
    target = variant.spec.target
    return () if target.hardware_compatibility != "none" else target.compute_capabilities


def _check_package(chosen: str) -> None:
    try:
        version(CUDA_PACKAGE)
    except PackageNotFoundError:
        what = f"this environment has no {CUDA_PACKAGE}, and the package onnxruntime supports only the CPU"
        hint = f"pip uninstall onnxruntime, then pip install {CUDA_PACKAGE}, with the CUDA and cuDNN that it needs"
        raise ToolchainError(what, where=chosen, hint=hint) from None
