"""ONNX Runtime: runs the very graph the engine is built from, on this machine's CPU.  It never runs an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from trtbuild.errors import ModelError, ToolchainError

Level = Literal["none", "basic", "extended", "all"]


class OnnxRuntimeSession:
    """A session over a file, or over a graph in memory whose bytes are given up as soon as it is made.

    ``level`` is what ONNX Runtime may rewrite.  "basic" keeps Q/DQ pairs and computes between them in float32: the
    arithmetic that the graph states.  Higher levels swap in fused and integer kernels with roundings of their own.
    """

    def __init__(
        self, model: Path | bytes, name: str, providers: Sequence[str], level: Level = "basic",
        emulated: Sequence[str] = (), optimised: Path | None = None,
    ) -> None:  # fmt: skip
        import onnxruntime as ort

        missing = [p for p in providers if p not in ort.get_available_providers()]
        if missing:
            have = ", ".join(ort.get_available_providers())
            raise ToolchainError(
                f"ONNX Runtime has no {missing[0]} here", where="runtime.providers", hint=f"it has {have}"
            )
        options = ort.SessionOptions()
        options.log_severity_level = 4 if optimised else 3  # it warns that an optimised graph fits this machine only
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = {
            "none": levels.ORT_DISABLE_ALL, "basic": levels.ORT_ENABLE_BASIC,
            "extended": levels.ORT_ENABLE_EXTENDED, "all": levels.ORT_ENABLE_ALL,
        }["none" if emulated else level]  # fmt: skip  # or the roundings of an emulation are dropped
        if optimised is not None:
            options.optimized_model_filepath = str(optimised)
        content = str(model) if isinstance(model, Path) else model
        try:
            self._session = ort.InferenceSession(content, options, providers=list(providers))
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot load it: {str(error).splitlines()[0]}", where=name) from error
        self._name = name
        self.outputs = [output.name for output in self._session.get_outputs()]
        self.inputs = [value.name for value in self._session.get_inputs()]
        self.about: Mapping[str, Any] = {
            "runtime": "onnxruntime", "version": ort.__version__, "providers": list(providers),
            "executes": "graph", "emulated": f"{' and '.join(emulated)} by rounding every result" if emulated else None,
        }  # fmt: skip

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values = self._session.run(self.outputs, dict(feeds))
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot run it: {str(error).splitlines()[0]}", where=self._name) from error
        return dict(zip(self.outputs, values, strict=True))


def open_session(model: Path, providers: Sequence[str]) -> OnnxRuntimeSession:
    """A session of a file's graph, its low precisions emulated."""
    import onnx

    from trtbuild.kit import rounding

    loaded = onnx.load(model)
    emulated = rounding.low_types(loaded)
    content = rounding.emulate(loaded).SerializeToString() if emulated else model
    return OnnxRuntimeSession(content, model.name, providers, emulated=emulated)
