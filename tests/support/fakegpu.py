"""A GPU for machines without one: a driver library whose device memory is the heap, and a TensorRT that copies.

Where there is a real driver, the same tests use it: then the copies go through the device.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from trtbuild.machine.gpu import find_device

CAPABILITY = "8.9"
VERSION = "10.0.0"

DRIVER = r"""
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 0; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "a fake GPU", length); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 8 : 9; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)1; return 0; }
int cuCtxSetCurrent(void *context) { return context == (void *)1 ? 0 : 201; }
int cuStreamCreate(void **stream, unsigned flags) { *stream = (void *)2; return 0; }
int cuStreamSynchronize(void *stream) { return stream == (void *)2 ? 0 : 400; }
int cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
    if (bytes > (size_t)1 << 40) return 2;
    *pointer = (uint64_t)malloc(bytes);
    return 0;
}
int cuMemFree_v2(uint64_t pointer) { free((void *)pointer); return 0; }
int cuMemcpyHtoDAsync_v2(uint64_t to, void *from, size_t n, void *stream) { memcpy((void *)to, from, n); return 0; }
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t n, void *stream) { memcpy(to, (void *)from, n); return 0; }
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t n, void *stream) {
    memcpy((void *)to, (void *)from, n);
    return 0;
}
int cuEventCreate(void **event, unsigned flags) { *event = malloc(sizeof(struct timespec)); return 0; }
int cuEventRecord(void *event, void *stream) { return clock_gettime(CLOCK_MONOTONIC, event); }
int cuEventSynchronize(void *event) { return 0; }
int cuEventElapsedTime(float *ms, void *start, void *end) {
    struct timespec *a = start, *b = end;
    *ms = (b->tv_sec - a->tv_sec) * 1e3f + (b->tv_nsec - a->tv_nsec) / 1e6f;
    return 0;
}
int cuGetErrorString(int status, const char **words) { *words = status == 2 ? "out of memory" : "wrong"; return 0; }
"""


def environment(folder: Path) -> dict[str, str]:
    """What a process needs to find the driver (a stub, where there is no real one) and the TensorRT that copies."""
    made = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}
    source = Path(__file__).with_name("faketensorrt.py").read_text("utf-8")
    (folder / "tensorrt.py").write_text(source, "utf-8")
    if find_device() is not None:
        return made
    (folder / "driver.c").write_text(DRIVER, "utf-8")
    try:
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", folder / "libcuda.so.1", folder / "driver.c"], check=True, cwd=folder
        )
    except FileNotFoundError:
        pytest.skip("no C compiler here to make the stub of the driver with")
    return {**made, "LD_LIBRARY_PATH": str(folder)}


def device() -> dict[str, str | None]:
    """The device as recipes name it: the stub's, or the real one."""
    from trtbuild.machine.gpu import identity

    found = find_device()
    fake = {"gpu": "a fake GPU", "compute_capability": CAPABILITY, "driver": "CUDA 12.8"}
    return fake if found is None else identity(found)
