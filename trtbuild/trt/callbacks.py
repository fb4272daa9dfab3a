"""Objects that TensorRT calls back while it runs an engine: for layer times, and for outputs of unknown size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import ModuleType

    from trtbuild.trt.cuda import Buffer, Cuda


class LayerTimes(Protocol):
    """Collects ``(layer, milliseconds)`` of one run, in the order of execution."""

    seen: list[tuple[str, float]]


class Allocator(Protocol):
    """Makes room for outputs whose shapes depend on the data, and keeps the shapes they turned out to have."""

    buffers: dict[str, Buffer]
    shapes: dict[str, tuple[int, ...]]


def make_profiler(trt: ModuleType) -> LayerTimes:
    class Profiler(trt.IProfiler):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.seen: list[tuple[str, float]] = []

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.seen.append((layer_name, float(ms)))

    return Profiler()


def make_allocator(trt: ModuleType, cuda: Cuda) -> Allocator:
    class OutputAllocator(trt.IOutputAllocator):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.buffers: dict[str, Buffer] = {}
            self.shapes: dict[str, tuple[int, ...]] = {}

        def reallocate_output_async(self, tensor_name: str, memory: int, size: int, alignment: int, stream: int) -> int:
            self.buffers[tensor_name] = cuda.at_least(self.buffers.get(tensor_name), size)
            return self.buffers[tensor_name].address

        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
            return self.reallocate_output_async(tensor_name, memory, size, alignment, 0)

        def notify_shape(self, tensor_name: str, shape: Iterable[int]) -> None:
            self.shapes[tensor_name] = tuple(shape)

    return OutputAllocator()
