"""ONNX Runtime: runs the very graph the engine is built from, on this machine's CPU.  It never runs an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtbuild.errors import ModelError, ToolchainError


class OnnxRuntimeSession:
    def __init__(self, model: Path, providers: Sequence[str]) -> None:
        import onnx
        import onnxruntime as ort

        from trtbuild.kit import rounding

        missing = [p for p in providers if p not in ort.get_available_providers()]
        if missing:
            have = ", ".join(ort.get_available_providers())
            raise ToolchainError(
                f"ONNX Runtime has no {missing[0]} here", where="runtime.providers", hint=f"it has {have}"
            )
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # BASIC keeps Q/DQ pairs and computes between them in float32: the arithmetic that the graph states.  The
        # extended level would swap in integer kernels with roundings of their own.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        loaded = onnx.load(model)
        emulated = rounding.low_types(loaded)
        content: bytes | str = str(model)
        if emulated:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # or roundings are dropped
            content = rounding.emulate(loaded).SerializeToString()
        try:
            self._session = ort.InferenceSession(content, options, providers=list(providers))
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot load it: {str(error).splitlines()[0]}", where=model.name) from error
        self._name = model.name
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.about: Mapping[str, Any] = {
            "runtime": "onnxruntime", "version": ort.__version__, "providers": list(providers),
            "executes": "graph", "emulated": f"{' and '.join(emulated)} by rounding every result" if emulated else None,
        }  # fmt: skip

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values = self._session.run(self._outputs, dict(feeds))
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"ONNX Runtime cannot run it: {str(error).splitlines()[0]}", where=self._name) from error
        return dict(zip(self._outputs, values, strict=True))


def open_session(model: Path, providers: Sequence[str]) -> OnnxRuntimeSession:
    return OnnxRuntimeSession(model, providers)
