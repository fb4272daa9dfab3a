"""TensorRT and TensorRT-RTX: executes an engine on this machine's GPU, in its own buffers.

Runs in the toolchain's interpreter.  Not through Polygraphy's runner: it has no events, it looks for libcudart where
CUDA 13's wheels do not put it, and it gives bfloat16 outputs as PyTorch tensors only (0.53.6).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from trtbuild.base.errors import EngineError, ModelError

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np
    import tensorrt_rtx as trt

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.profile import Profile
    from trtbuild.trt.cuda import Buffer, Cuda

CLOCK = "CUDA events"
_PLAIN = ("float32", "float16", "int8", "uint8", "int32", "int64", "bool")  # as NumPy calls them


class _Toolchain(TypedDict):
    flavour: str
    tensorrt: str


class Options(_Toolchain, total=False):
    """From the recipe; ``device`` (gpu, compute_capability) is for messages."""

    version_compatible: bool
    device: Mapping[str, str] | None


@dataclass
class _Binding:
    """One input or output of the engine, and its buffer; ``dynamic``: its size is known only after the run."""

    name: str
    dtype: np.dtype
    on_host: bool
    dynamic: bool = False
    buffer: Buffer | None = None
    host: Array | None = None
    shape: tuple[int, ...] = field(default=())


class EngineSession:
    """An engine with its execution context; inputs and outputs are NumPy arrays, in the engine's own dtypes."""

    def __init__(self, plan: Path | bytes, options: Options, log: Path | None = None) -> None:
        from trtbuild.trt import api, callbacks, trtlog
        from trtbuild.trt.cuda import Cuda

        trt = api.use_flavour(options["flavour"], options["tensorrt"])
        self._cuda: Cuda = Cuda()
        self._trt, self._log = trt, trtlog.make_log(trt, log or Path(f"tensorrt-{os.getpid()}.log"))
        content = plan if isinstance(plan, bytes) else plan.read_bytes()
        self.engine = api.load(trt, self._log, content, host_code=bool(options.get("version_compatible", False)))
        context = self.engine.create_execution_context()
        if context is None:
            raise EngineError(f"no execution context: {self._said()}", where="engine.plan")
        self.context = context
        self._inputs, self._outputs = _bindings(trt, self.engine)
        self._allocator = callbacks.make_allocator(trt, self._cuda)
        self.outputs = [binding.name for binding in self._outputs]
        self.inputs = [binding.name for binding in self._inputs]
        self.about: Mapping[str, object] = {
            "runtime": options["flavour"], "version": trt.__version__, "providers": [_device_words(options)],
            "executes": "engine", "emulated": None,
        }  # fmt: skip

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.upload(feeds)
        self.execute()
        self._cuda.synchronize()
        return self.download()

    def upload(self, feeds: Mapping[str, Array]) -> None:
        """Copy the inputs to the device, and allocate the outputs that their shapes call for.

        Raises:
            ModelError: an input of another dtype, or of a shape outside the profile.
        """
        for binding in self._inputs:
            self._upload(binding, feeds[binding.name])
        missing = self.context.infer_shapes()
        if missing:
            raise ModelError(f"the engine does not know the shape of {', '.join(missing)}", where="engine")
        for binding in self._outputs:
            self._make_room(binding)

    def _upload(self, binding: _Binding, value: Array) -> None:
        import numpy as np

        array = np.asarray(value, order="C")
        if array.dtype != binding.dtype:
            what = f"input '{binding.name}' is {array.dtype}, the engine takes {binding.dtype}"
            raise ModelError(what, where="engine", hint="declare the dtype of the engine in model.inputs")
        if not self.context.set_input_shape(binding.name, tuple(array.shape)):
            low, _, high = (list(shape) for shape in self.engine.get_tensor_profile_shape(binding.name, 0))
            what = f"input '{binding.name}' has shape {list(array.shape)}, outside the profile"
            raise ModelError(what, where="engine", hint=f"it goes from {low} to {high}")
        if binding.on_host:  # a shape: TensorRT reads it on the CPU
            binding.host = np.array(array)
            self._address(binding, binding.host.ctypes.data)
            return
        binding.buffer = self._cuda.at_least(binding.buffer, array.nbytes)
        self._cuda.upload(array, binding.buffer)
        self._address(binding, binding.buffer.address)

    def _make_room(self, binding: _Binding) -> None:
        import numpy as np

        binding.shape = tuple(self.context.get_tensor_shape(binding.name))
        binding.dynamic = -1 in binding.shape
        if binding.dynamic:
            if not self.context.set_output_allocator(binding.name, self._allocator):
                raise EngineError(f"output '{binding.name}' accepts no allocator: {self._said()}", where="engine")
            return
        if binding.on_host:
            binding.host = np.empty(binding.shape, binding.dtype)
            self._address(binding, binding.host.ctypes.data)
            return
        count_bytes = int(np.prod(binding.shape, dtype=np.int64)) * binding.dtype.itemsize
        binding.buffer = self._cuda.at_least(binding.buffer, count_bytes)
        self._address(binding, binding.buffer.address)

    def _address(self, binding: _Binding, address: int) -> None:
        if not self.context.set_tensor_address(binding.name, address):
            raise EngineError(f"'{binding.name}' accepts no buffer: {self._said()}", where="engine")

    def execute(self) -> None:
        """Queue one run of the engine on the stream; its results are there once the stream is done."""
        before = len(self._log.errors)
        done = self.context.execute_async_v3(self._cuda.stream)
        if not done or len(self._log.errors) > before:
            raise ModelError(f"TensorRT cannot run the engine: {self._said()}", where="engine")

    def download(self) -> dict[str, Array]:
        return {binding.name: self._download(binding) for binding in self._outputs}

    def _download(self, binding: _Binding) -> Array:
        import numpy as np

        if binding.on_host:
            return np.array(binding.host)
        shape, buffer = binding.shape, binding.buffer
        if binding.dynamic:
            if binding.name not in self._allocator.shapes:
                raise ModelError(f"the engine gave no shape for output '{binding.name}'", where="engine")
            shape, buffer = self._allocator.shapes[binding.name], self._allocator.buffers.get(binding.name)
        array = np.empty(shape, binding.dtype)
        if array.nbytes:
            assert buffer is not None
            self._cuda.download(buffer, array)
        return array

    def _said(self) -> str:
        return self._log.errors[-1] if self._log.errors else "no reason given"


class TimedSession(EngineSession):
    """Timed on the device, where inputs and outputs are: from before the engine's first kernel to after its last."""

    def __init__(self, plan: Path, options: Options) -> None:
        super().__init__(plan, options)
        self._events = (self._cuda.event(), self._cuda.event())
        self._feeds: Mapping[str, Array] | None = None
        self.about = {
            **self.about, "optimisation": None, "clock": CLOCK,
            "copies": "copies between host and GPU are not included",
        }  # fmt: skip

    def time_us(self, feeds: Mapping[str, Array]) -> float:
        """Microseconds of one run, by two events on its stream; inputs are copied only when they are new."""
        if feeds is not self._feeds:
            self.upload(feeds)
            self._feeds = feeds
        start, end = self._events
        self._cuda.record(start)
        self.execute()
        self._cuda.record(end)
        return round(1000 * self._cuda.elapsed_ms(start, end), 1)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self._feeds = None  # buffers may move
        return super().run(feeds)


def open_session(model: Path, options: Options) -> EngineSession:
    return EngineSession(model, options)


def open_timed(model: Path, options: Options, threads: int) -> TimedSession:
    """An engine ignores ``threads``."""
    return TimedSession(model, options)


def profile_nodes(
    model: Path, options: Options, threads: int, feeds: Mapping[str, Array], seconds: float, most: int
) -> Profile:
    """Time of every layer over at most ``most`` runs in about ``seconds``, by TensorRT's own profiler.

    TensorRT waits for every run to end before it reports, so these layers take longer together than a run does.
    """
    from trtbuild.graphs import profile
    from trtbuild.trt import api, callbacks

    session = EngineSession(model, options)
    session.upload(feeds)
    watcher = callbacks.make_profiler(session._trt)
    session.context.profiler = watcher
    runs: list[list[tuple[str, float]]] = []
    end = time.perf_counter() + seconds
    while len(runs) < profile.FIRST_RUNS + 3 or (time.perf_counter() < end and len(runs) < profile.FIRST_RUNS + most):
        watcher.seen = []
        session.execute()
        session._cuda.synchronize()
        runs.append(watcher.seen)
    if not runs[-1]:
        raise ModelError("TensorRT's profiler reported no layer", where="engine")
    return profile.from_layer_runs(runs[profile.FIRST_RUNS :], api.inspect(session._trt, session.engine))


def count_kernels(model: Path, options: Options, threads: int, feeds: Mapping[str, Array]) -> dict[str, int]:
    """Empty: the engine step has proved the types that it computes in."""
    return {}


def _bindings(trt: ModuleType, engine: trt.ICudaEngine) -> tuple[list[_Binding], list[_Binding]]:
    """Inputs and outputs, in the engine's order."""
    inputs: list[_Binding] = []
    outputs: list[_Binding] = []
    for name in [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]:
        on_host = engine.get_tensor_location(name) == trt.TensorLocation.HOST
        reads = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        (inputs if reads else outputs).append(_Binding(name, _array_dtype(engine, name), on_host))
    return inputs, outputs


def _array_dtype(engine: trt.ICudaEngine, name: str) -> np.dtype:
    """The NumPy dtype that holds a tensor's bytes; bfloat16 and float8 by the extension types that come with onnx."""
    import numpy as np

    from trtbuild.trt.network import dtype_name

    kind = dtype_name(engine.get_tensor_dtype(name))
    if kind in ("bfloat16", "float8"):
        import ml_dtypes

        extension: np.dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else ml_dtypes.float8_e4m3fn)
        return extension
    if kind not in _PLAIN:
        raise EngineError(f"'{name}' is {kind}, which no array holds", where="engine")
    return np.dtype(kind)


def _device_words(options: Options) -> str:
    device = options.get("device") or {}
    return f"{device.get('gpu', 'GPU')}, compute capability {device.get('compute_capability', 'unknown')}"
