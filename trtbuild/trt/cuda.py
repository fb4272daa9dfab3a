"""Device memory, a stream and events of the GPU, through the driver's own library: no CUDA package is needed.

Polygraphy's wrapper has no events, and looks for libcudart where CUDA 13's wheels do not put it (0.53.6).  A driver
stream and a driver pointer are what TensorRT takes: the runtime library's are the same handles (CUDA C++ Programming
Guide, "Interoperability between Runtime and Driver APIs"), in the device's primary context.
"""

from __future__ import annotations

import ctypes

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import ModelError, PlaceError

OUT_OF_MEMORY = 2  # cuda.h: CUDA_ERROR_OUT_OF_MEMORY


class Cuda:
    """Device 0 and one of its streams; every call that fails raises with the driver's own words."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libcuda.so.1")
        except OSError:
            raise PlaceError("this machine has no NVIDIA driver (libcuda.so.1)", where="runtime") from None
        self._call("cuInit", 0)
        device, context, stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        self._call("cuStreamCreate", ctypes.byref(stream), 0)
        self._stream = stream

    @property
    def stream(self) -> int:
        """The handle that ``execute_async_v3`` takes."""
        return self._stream.value or 0

    def allocate(self, count_bytes: int) -> Buffer:
        return Buffer(self, max(count_bytes, 1))  # an empty tensor needs an address too

    def at_least(self, buffer: Buffer | None, count_bytes: int) -> Buffer:
        """The buffer, or a new one where it is missing or too small."""
        return self.allocate(count_bytes) if buffer is None or buffer.bytes < count_bytes else buffer

    def upload(self, array: Array, buffer: Buffer) -> None:
        """Copy a contiguous array's bytes; done when it returns, as far as the array is concerned."""
        if array.nbytes:
            pointer = ctypes.c_void_p(array.ctypes.data)
            self._call(
                "cuMemcpyHtoDAsync_v2", ctypes.c_uint64(buffer.address), pointer, ctypes.c_size_t(array.nbytes),
                self._stream,
            )  # fmt: skip
            self.synchronize()

    def download(self, buffer: Buffer, array: Array) -> None:
        """Fill a contiguous array from the buffer's first bytes."""
        if array.nbytes:
            pointer = ctypes.c_void_p(array.ctypes.data)
            self._call(
                "cuMemcpyDtoHAsync_v2", pointer, ctypes.c_uint64(buffer.address), ctypes.c_size_t(array.nbytes),
                self._stream,
            )  # fmt: skip
            self.synchronize()

    def synchronize(self) -> None:
        self._call("cuStreamSynchronize", self._stream)

    def event(self) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._call("cuEventCreate", ctypes.byref(made), 0)
        return made

    def record(self, event: ctypes.c_void_p) -> None:
        self._call("cuEventRecord", event, self._stream)

    def elapsed_ms(self, start: ctypes.c_void_p, end: ctypes.c_void_p) -> float:
        """Milliseconds between two recorded events, in steps of about half a microsecond; waits for the second."""
        made = ctypes.c_float()
        self._call("cuEventSynchronize", end)
        # The unversioned name, which CUDA 13's drivers still export (seen in 580.159).
        self._call("cuEventElapsedTime", ctypes.byref(made), start, end)
        return made.value

    def _call(self, name: str, *arguments: object) -> None:
        status: int = getattr(self._library, name)(*arguments)
        if not status:
            return
        said = ctypes.c_char_p()
        self._library.cuGetErrorString(status, ctypes.byref(said))
        words = said.value.decode(errors="replace") if said.value else "no reason given"
        if status == OUT_OF_MEMORY:
            raise PlaceError(f"the GPU's memory is full ({name}: {words})", where="runtime")
        raise ModelError(f"the GPU failed: {name} answers {status}, {words}", where="runtime")


class Buffer:
    """Bytes on the device; freed with the object."""

    def __init__(self, cuda: Cuda, count_bytes: int) -> None:
        pointer = ctypes.c_uint64()
        self._cuda, self.bytes, self.address = cuda, count_bytes, 0
        cuda._call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(count_bytes))
        self.address = pointer.value

    def __del__(self) -> None:
        if self.address:
            self._cuda._library.cuMemFree_v2(ctypes.c_uint64(self.address))
            self.address = 0
