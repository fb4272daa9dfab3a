"""The GPU's clocks, temperature and power, read from NVML without any package: what a measured time depends on."""

from __future__ import annotations

import ctypes

from trtbuild.documents.selftest import Clocks

# nvml.h: nvmlClockType_t, nvmlTemperatureSensors_t
_SM, _MEMORY, _GPU = 1, 2, 0


def read() -> Clocks:
    """Of device 0; None for what NVML does not say, or where there is none."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return {"sm_mhz": None, "memory_mhz": None, "celsius": None, "watts": None}
    handle = ctypes.c_void_p()
    here = not nvml.nvmlInit_v2() and not nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))

    def number(name: str, *arguments: int) -> int | None:
        value = ctypes.c_uint()
        failed = not here or getattr(nvml, name)(handle, *arguments, ctypes.byref(value))
        return None if failed else value.value

    milliwatts = number("nvmlDeviceGetPowerUsage")
    return {
        "sm_mhz": number("nvmlDeviceGetClockInfo", _SM),
        "memory_mhz": number("nvmlDeviceGetClockInfo", _MEMORY),
        "celsius": number("nvmlDeviceGetTemperature", _GPU),
        "watts": None if milliwatts is None else milliwatts / 1000,
    }
