"""What a step needs of a worker and what a machine offers: amounts of resources by name, as Dask counts them.

``memory`` in bytes; ``machine`` and ``gpu``, of which a step takes a share or the whole; and labels, which say what a
worker has: a compute capability (``sm89``), a flavour of TensorRT, a library (``numpy==2.4.6``), an ONNX Runtime with
CUDA, a device by the digest of its identity, report templates.  A step lands on a worker that offers all that it needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from trtbuild.core.spec.engine import CUDA_PROVIDER
from trtbuild.core.step import Step, canonical

CUDA_PACKAGE = "onnxruntime-gpu"  # the other one of the same version computes on the CPU alone
SHARE = 2.0**-20  # of what many steps use at once; shares add up exactly in binary
_BOUND = ("device:", "templates:")


def needs(step: Step) -> dict[str, float]:
    """The resources of a step; its ``memory_bytes`` is known by now.

    ``exclusive`` takes the whole machine, and its GPU if it measures on one; ``gpu-exclusive`` the whole GPU.
    """
    params = step.params
    tools, device, runtime = (params.get(key) for key in ("tools", "device", "runtime"))
    alone = step.slot == "exclusive"
    found = {"memory": float(step.memory_bytes), "machine": 1.0 if alone else SHARE}
    if step.slot in ("gpu", "gpu-exclusive"):
        found["gpu"] = 1.0 if step.slot == "gpu-exclusive" else SHARE
    if step.environment != "main":
        found[str(params["flavour"])] = SHARE
    if isinstance(tools, Mapping):
        found |= {library(name, version): SHARE for name, version in tools.items() if version != "absent"}
    if isinstance(device, Mapping) and ("cpu" in device or "gpu" in device):  # an estimate's is a data sheet
        found[device_label(device)] = SHARE
        if "gpu" in device:
            found["gpu"] = 1.0 if alone else found.get("gpu", SHARE)
    if isinstance(runtime, Mapping) and CUDA_PROVIDER in runtime.get("providers", ()):
        found[CUDA_PACKAGE] = SHARE
    if "templates" in params:
        found[templates_label(str(params["templates"]))] = SHARE
    capabilities = params.get("compute_capabilities")
    if step.kind == "engine" and params["flavour"] == "tensorrt" and isinstance(capabilities, list) and capabilities:
        found[capability_label(capabilities[0])] = SHARE  # it is built for the one GPU that it is built on
    return found


def library(name: str, version: object) -> str:
    return f"{name}=={version}"


def capability_label(capability: str) -> str:
    """``sm89`` for 8.9."""
    return f"sm{capability.replace('.', '')}"


def device_label(device: Mapping[str, object]) -> str:
    """Of a device in a recipe: machine.device.identity, machine.gpu.identity, or both."""
    return f"device:{_digest(canonical(dict(device)))}"


def templates_label(digest: str) -> str:
    return f"templates:{digest[:12]}"


def bound(needed: Mapping[str, float]) -> set[str]:
    """Labels that may be of the planning machine alone: its device, its workspace's own report templates."""
    return {name for name in needed if name.startswith(_BOUND)}


def lacking(needed: Mapping[str, float], offered: Mapping[str, float]) -> list[str]:
    """What a worker with these resources cannot give, however idle it is."""
    return [name for name, amount in needed.items() if offered.get(name, 0.0) < amount]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
