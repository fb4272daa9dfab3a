"""The NVIDIA GPU that this process would use, read directly from the driver's libraries, without any package."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtbuild.base.errors import PlaceError, ToolchainError

# cuda.h: CUdevice_attribute
_MAJOR, _MINOR = 75, 76
# Replaced together with the driver: what another driver measured does not count.
DRIVER_FILES = tuple(
    f"{folder}/libcuda.so.1" for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/nvidia/lib64")
)


@dataclass(frozen=True)
class Device:
    name: str
    compute_capability: str
    driver: str = "unknown"


def find_device() -> Device | None:
    """Device 0 of those that CUDA_VISIBLE_DEVICES leaves; None without a driver or a device."""
    found = _look()
    return None if isinstance(found, str) else found


def absence() -> str:
    """Why :func:`find_device` returns None."""
    found = _look()
    return found if isinstance(found, str) else ""


def identity(device: Device | None) -> dict[str, str | None]:
    """The GPU in recipes: an inference has its name and compute capability, a measurement all of it."""
    if device is None:
        return {"gpu": None, "compute_capability": None, "driver": None}
    return {"gpu": device.name, "compute_capability": device.compute_capability, "driver": device.driver}


@functools.cache
def _look() -> Device | str:
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "this machine has no NVIDIA driver (libcuda.so.1)"
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    status = (
        cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetName(name, len(name), device)
    )
    if status:
        return f"no NVIDIA GPU is here (the driver answers {status})"
    numbers = []
    for attribute in (_MAJOR, _MINOR):
        number = ctypes.c_int()
        if status := cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device):
            return f"the GPU does not report its compute capability (the driver answers {status})"
        numbers.append(str(number.value))
    return Device(name.value.decode(errors="replace"), ".".join(numbers), _driver_version(cuda))


def _driver_version(cuda: ctypes.CDLL) -> str:
    """``580.159.04`` from NVML, otherwise the CUDA version that the driver supports."""
    with contextlib.suppress(OSError):
        nvml, text = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.create_string_buffer(80)
        if not nvml.nvmlInit_v2() and not nvml.nvmlSystemGetDriverVersion(text, len(text)):
            return text.value.decode(errors="replace")
    number = ctypes.c_int()
    if cuda.cuDriverGetVersion(ctypes.byref(number)):
        return "unknown"
    return f"CUDA {number.value // 1000}.{number.value % 1000 // 10}"


_BUILDS = "TensorRT builds on one"
_INSTEAD = "build on a machine with a GPU, or choose tensorrt=rtx-1.7, which compiles without one"


def require_device(why: str = _BUILDS, where: str = "tensorrt", hint: str = _INSTEAD) -> Device:
    """This machine's GPU.

    Raises:
        ToolchainError: there is none; ``why``: what needs one, ``hint``: what to do instead.
    """
    device = find_device()
    if device is None:
        raise ToolchainError(f"{absence()}, and {why}", where=where, hint=hint)
    return device


def check_device(device: Device, supported: Sequence[str], wanted: Sequence[str], title: str = "this TensorRT") -> None:
    """Refuse a GPU that the toolchain does not support, or that the target does not include.

    Args:
        supported: compute capabilities of the toolchain ("8.9", ...).
        wanted: the target's, or none.

    Raises:
        ToolchainError: the GPU has another one.
    """
    actual = f"{device.name} has compute capability {device.compute_capability}"
    if device.compute_capability not in supported:
        hint = f"it supports {', '.join(supported)}"
        raise ToolchainError(f"{actual}, which {title} does not support", where="tensorrt", hint=hint)
    if wanted and device.compute_capability not in wanted:
        hint = "use such a GPU, or leave the target out"
        raise ToolchainError(f"{actual}, not {', '.join(wanted)}", where="target.compute_capabilities", hint=hint)


def check_gpu(params: Mapping[str, Any]) -> None:
    """Check the GPU in the step itself: a folder copied to another machine must not get that machine's numbers.

    Raises:
        ToolchainError: there is no GPU, or one that the toolchain does not support.  PlaceError: another GPU.
    """
    declared = {key: value for key, value in params.get("device", {}).items() if key in ("gpu", "compute_capability")}
    if not declared:
        return
    device = require_device("this step computes on one", where="runtime", hint="run it on a machine with a GPU")
    if "supported" in params:
        check_device(device, params["supported"], (), f"{params['flavour']} {params['tensorrt']}")
    here = identity(device)
    changed = [f"{key} {value} -> {here[key]}" for key, value in sorted(declared.items()) if here[key] != value]
    if changed:
        what = f"this step is for another device ({', '.join(changed)})"
        raise PlaceError(what, where="runtime", hint="run trtbuild here")
