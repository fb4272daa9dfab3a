"""ONNX Runtime: runs the very graph the engine is built from, on this machine's CPU or GPU, and never an engine."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from trtbuild.base.errors import ModelError, ToolchainError, first_line

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.profile import Profile, TraceEvent

Level = Literal["none", "extended", "all"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_KEEP_QDQ = ("session.disable_quant_qdq", "session.disable_double_qdq_remover")  # at levels above "none"


class _Providers(TypedDict):
    providers: Sequence[str]


class Runtime(_Providers, total=False):
    """From the recipe; ``tf32`` only where there is a GPU."""

    tf32: bool


class OnnxRuntimeSession:
    """A session over a file, or over a graph in memory whose bytes are given up as soon as it is made.

    ``level`` is what ONNX Runtime may rewrite: nothing, so that the arithmetic is the one that the graph states.  Its
    lowest level already quantises biases and weights behind Q/DQ pairs and merges pairs of different scales
    (docs/decisions/0010).  Higher levels are for inspecting what the runtime fuses, which there are only float
    operations.
    """

    def __init__(
        self, model: Path | bytes, name: str, providers: Sequence[str], level: Level = "none",
        emulated: Sequence[str] = (), optimised: Path | None = None, tf32: bool = False, quiet: bool = False,
    ) -> None:  # fmt: skip
        import onnxruntime as ort

        from trtbuild.graphs import rounding

        options = ort.SessionOptions()
        # It warns that an optimised graph fits this machine only; "quiet" is for trying whether a graph runs at all.
        options.log_severity_level = 4 if optimised or quiet else 3
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = {
            "none": levels.ORT_DISABLE_ALL, "extended": levels.ORT_ENABLE_EXTENDED, "all": levels.ORT_ENABLE_ALL,
        }["none" if emulated else level]  # fmt: skip  # or the roundings of an emulation are dropped
        for switch in _KEEP_QDQ:
            options.add_session_config_entry(switch, "1")
        # Its threads wait in a loop for work, which takes a third of the time of whatever runs beside (measured).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if optimised is not None:
            options.optimized_model_filepath = str(optimised)
        content = str(model) if isinstance(model, Path) else model
        self._session = load_session(name, content, options, providers, tf32)
        self._name = name
        self.outputs = [output.name for output in self._session.get_outputs()]
        self.inputs = [value.name for value in self._session.get_inputs()]
        self.about: Mapping[str, object] = {
            "runtime": "onnxruntime", "version": ort.__version__, "providers": list(providers),
            "executes": "graph", "emulated": rounding.in_words(emulated) if emulated else None,
        }  # fmt: skip

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        try:
            values = self._session.run(self.outputs, dict(feeds))
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot run it: {first_line(error)}", where=self._name) from error
        return dict(zip(self.outputs, values, strict=True))


def open_session(model: Path, runtime: Runtime) -> OnnxRuntimeSession:
    """A session for a file's graph, its low precisions emulated."""
    import onnx

    tf32 = bool(runtime.get("tf32", False))
    return session_of(onnx.load(model), model.name, runtime["providers"], tf32=tf32, file=model)


def session_of(
    model: onnx.ModelProto, name: str, providers: Sequence[str] = (CPU,), *, tf32: bool = False, quiet: bool = False,
    file: Path | None = None,
) -> OnnxRuntimeSession:  # fmt: skip
    """A session that computes what an onnx.ModelProto states, its low precisions emulated; ``file``: where it lies."""
    from trtbuild.graphs import rounding

    emulated = rounding.low_types(model)
    content = rounding.emulate(model).SerializeToString() if emulated else file or model.SerializeToString()
    return OnnxRuntimeSession(content, name, providers, emulated=emulated, tf32=tf32, quiet=quiet)


class TimedSession:
    """The graph as it stands, at full optimisation: what latency is measured with.  Nothing is emulated.

    Raises:
        ModelError: the runtime has no kernel for it (bfloat16 convolutions on a CPU, say).
    """

    def __init__(self, model: Path, runtime: Runtime, threads: int) -> None:
        import onnx
        import onnxruntime as ort

        from trtbuild.graphs import rounding

        options = timed_options(threads)
        tf32 = bool(runtime.get("tf32", False))
        self._session = load_session(model.name, str(model), options, runtime["providers"], tf32)
        self._name = model.name
        on_gpu = CUDA in runtime["providers"]
        self._outputs = [output.name for output in self._session.get_outputs()]
        loaded = onnx.load(model)
        notes = []
        if (low := rounding.low_types(loaded)) and not on_gpu:
            notes.append(f"{' and '.join(low)} computed in float32 with casts")
        self.about: Mapping[str, object] = {
            "runtime": "onnxruntime", "version": ort.__version__, "providers": self._session.get_providers(),
            "executes": "graph", "emulated": None, "optimisation": "all", "note": "; ".join(notes) or None,
            **({"copies": "copies between host and GPU are included"} if on_gpu else {}),
        }  # fmt: skip

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        try:
            values: list[Array] = self._session.run(self._outputs, feeds)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot run it: {first_line(error)}", where=self._name) from error
        return values


def open_timed(model: Path, runtime: Runtime, threads: int) -> TimedSession:
    return TimedSession(model, runtime, threads)


def profile_nodes(
    model: Path, runtime: Runtime, threads: int, feeds: Mapping[str, Array], seconds: float, most: int
) -> Profile:
    """Time of every node over at most ``most`` runs in about ``seconds``, by the runtime's own profiler.

    At the BASIC level: the full level fuses nodes and renames them (3 of 57 kernels of MobileNetV2 keep their names),
    so these nodes take longer together than the graph takes at full speed.
    """
    import onnx
    import onnxruntime as ort

    from trtbuild.graphs import profile

    loaded = onnx.load(model)
    names = profile.label_nodes(loaded)
    options = timed_options(threads)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    content = loaded.SerializeToString()
    runs = (profile.FIRST_RUNS + 3, profile.FIRST_RUNS + most)
    return profile.from_onnxruntime(_trace(model, content, options, runtime, feeds, seconds, runs), names)


def count_kernels(model: Path, runtime: Runtime, threads: int, feeds: Mapping[str, Array]) -> dict[str, int]:
    """Kernels by op type that the graph runs in at full optimisation, as the profiler sees them.

    On a GPU, kernels that ran on the CPU instead are marked: ``Shape (CPU)``.
    """
    import onnx

    from trtbuild.graphs import profile

    loaded = onnx.load(model)
    profile.label_nodes(loaded)  # or a quote in a name breaks the trace
    content = loaded.SerializeToString()
    events = _trace(model, content, timed_options(threads), runtime, feeds, 0.0, (1, 1))
    return profile.kernel_counts(events, CUDA if CUDA in runtime["providers"] else None)


def _trace(
    model: Path, content: bytes, options: ort.SessionOptions, runtime: Runtime, feeds: Mapping[str, Array],
    seconds: float, fewest_and_most: tuple[int, int],
) -> list[TraceEvent]:  # fmt: skip
    """Events of a profiled session over so many runs; the file they were written to is gone afterwards."""
    import tempfile

    options.enable_profiling = True
    here = Path.cwd()  # a step's sandbox; a self-test may run in a folder that cannot be written
    with tempfile.TemporaryDirectory(dir=here if os.access(here, os.W_OK) else None) as folder:
        options.profile_file_prefix = str(Path(folder, "trace"))
        session = load_session(model.name, content, options, runtime["providers"], bool(runtime.get("tf32", False)))
        end, runs = time.perf_counter() + seconds, 0
        fewest, most = fewest_and_most
        while runs < fewest or (time.perf_counter() < end and runs < most):
            session.run(None, dict(feeds))
            runs += 1
        events: list[TraceEvent] = json.loads(Path(session.end_profiling()).read_text("utf-8", errors="replace"))
        return events


def timed_options(threads: int) -> ort.SessionOptions:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options


def load_session(
    name: str, content: bytes | str, options: ort.SessionOptions, providers: Sequence[str], tf32: bool,
    cuda_options: Mapping[str, str] | None = None,
) -> ort.InferenceSession:  # fmt: skip
    """A session on the first of these providers; ``cuda_options``: further ones of the CUDA provider.

    Where it cannot start, ONNX Runtime itself goes on with the CPU and tells only its log.

    Raises:
        ToolchainError: it is not in this package, or did not start.  ModelError: the graph cannot be loaded.
    """
    import onnxruntime as ort

    missing = [p for p in providers if p not in ort.get_available_providers()]
    if missing:
        have = ", ".join(ort.get_available_providers())
        hint = f"it has {have}" + ("; install onnxruntime-gpu in place of onnxruntime" if CUDA in missing else "")
        raise ToolchainError(f"ONNX Runtime has no {missing[0]} here", where="runtime.providers", hint=hint)
    if CUDA in providers and hasattr(ort, "preload_dlls"):
        ort.preload_dlls(directory="")  # CUDA and cuDNN of the nvidia-… wheels, where there are any
    # TF32 is on by default: float32 graphs would compute with ten bits of mantissa, silently.
    of_cuda = {"use_tf32": str(int(tf32)), **(cuda_options or {})}
    chosen = [(p, of_cuda) if p == CUDA else p for p in providers]
    try:
        session = ort.InferenceSession(content, options, providers=chosen)
    except Exception as error:  # onnxruntime's exceptions share no base class
        said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", r"\1: ", first_line(error)).rstrip(".")
        if isinstance(content, str):
            said = said.replace(content, name)  # pages show it: no path of this machine
        raise ModelError(f"ONNX Runtime cannot load it: {said}", where=name) from error
    started = session.get_providers()
    if providers and providers[0] not in started:
        what = f"{providers[0]} did not start: ONNX Runtime would go on with {', '.join(started)}"
        hint = "the step's log has ONNX Runtime's reason; it needs the CUDA and cuDNN libraries of its build"
        raise ToolchainError(what, where="runtime.providers", hint=hint)
    return session
