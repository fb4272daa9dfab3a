"""The NVIDIA GPU that this process would use, asked of the driver's library directly: no package has to be there."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from trtbuild.errors import ToolchainError

# cuda.h: CUdevice_attribute
_MAJOR, _MINOR = 75, 76


@dataclass(frozen=True)
class Device:
    name: str
    compute_capability: str


def find_device() -> Device | None:
    """Device 0 of those that CUDA_VISIBLE_DEVICES leaves; None without a driver or a device."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    numbers = []
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetName(name, len(name), device):
        return None
    for attribute in (_MAJOR, _MINOR):
        number = ctypes.c_int()
        if cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device):
            return None
        numbers.append(str(number.value))
    return Device(name.value.decode(errors="replace"), ".".join(numbers))


def check_device(supported: Sequence[str], wanted: Sequence[str], device: Device | None = None) -> Device:
    """The GPU to build on, if it is one that this TensorRT supports and the target asks for.

    Args:
        supported: compute capabilities of the toolchain ("8.9", ...); ``wanted``: the target's, or none.
        device: default, the one that is here.

    Raises:
        ToolchainError: there is none, or it is another one.
    """
    device = device or find_device()
    if device is None:
        hint = "build on a machine with a GPU, or choose tensorrt=rtx-1.7, which compiles without one"
        raise ToolchainError("no NVIDIA GPU is here, and TensorRT builds on one", where="tensorrt", hint=hint)
    said = f"{device.name} has compute capability {device.compute_capability}"
    if device.compute_capability not in supported:
        what = f"{said}, which this TensorRT does not support"
        raise ToolchainError(what, where="tensorrt", hint=f"it supports {', '.join(supported)}")
    if wanted and device.compute_capability not in wanted:
        hint = "build on such a GPU, or leave the target out"
        raise ToolchainError(f"{said}, not {', '.join(wanted)}", where="target.compute_capabilities", hint=hint)
    return device
