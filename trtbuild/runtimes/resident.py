"""ONNX Runtime on one GPU, with inputs and outputs that stay in its memory: a call is timed by events on its stream.

The stream is the driver's own (trt/cuda.py), handed to ONNX Runtime, so that events before and after a call enclose
its kernels and nothing else; gaps in which the host launches too slowly are part of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ModelError, first_line
from trtbuild.runtimes.onnxruntime import CUDA, load_session, timed_options

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

CLOCK = "CUDA events"


class ResidentSession:
    """A graph at full optimisation; ``run`` returns NumPy arrays, ``time_us`` leaves everything on the device."""

    def __init__(self, model: Path, *, tf32: bool) -> None:
        import onnxruntime as ort

        from trtbuild.trt.cuda import Cuda

        self._cuda = Cuda()
        on_stream = {"user_compute_stream": str(self._cuda.stream)}
        options = timed_options(1)
        options.log_severity_level = 4  # cuDNN's refusals of fused plans, of which it then takes another, are no errors
        self._session = load_session(model.name, str(model), options, [CUDA], tf32, on_stream)
        self._name = model.name
        self._binding = self._session.io_binding()
        self._feeds: Mapping[str, Array] | None = None
        self._events = (self._cuda.event(), self._cuda.event())
        self.outputs = [output.name for output in self._session.get_outputs()]
        self.about: Mapping[str, object] = {
            "runtime": "onnxruntime", "version": ort.__version__, "providers": self._session.get_providers(),
            "executes": "graph", "emulated": None, "optimisation": "all", "note": None, "clock": CLOCK,
            "copies": "copies between host and GPU are not included",
        }  # fmt: skip

    def upload(self, feeds: Mapping[str, Array]) -> None:
        """Bind the inputs, copied to the device, and outputs that stay there."""
        import onnxruntime as ort

        for name, array in feeds.items():
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
        for name in self.outputs:
            self._binding.bind_output(name, "cuda", 0)

    def execute(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot run it: {first_line(error)}", where=self._name) from error

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self._feeds = None
        self.upload(feeds)
        self.execute()
        self._cuda.synchronize()
        return dict(zip(self.outputs, self._binding.copy_outputs_to_cpu(), strict=True))

    def time_us(self, feeds: Mapping[str, Array]) -> float:
        """Microseconds of one call, by two events on its stream; inputs are copied only when they are new."""
        if feeds is not self._feeds:
            self.upload(feeds)
            self._feeds = feeds
        start, end = self._events
        self._cuda.record(start)
        self.execute()
        self._cuda.record(end)
        return round(1000 * self._cuda.elapsed_ms(start, end), 1)
