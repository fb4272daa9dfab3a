"""Variants without a config: a model in a precision, and the defaults for the rest."""

from __future__ import annotations

from collections.abc import Mapping

from trtbuild.core.spec import (
    BuildSpec,
    Calibration,
    Executor,
    Latency,
    Model,
    Names,
    Precision,
    Runtime,
    Target,
    Toolchain,
    Variant,
)

NAMES = Names("m", "fp32", "rtx-1.7", "onnxruntime", "portable", "minmax")
_RUNTIME, _TARGET, _LATENCY = Runtime("onnxruntime"), Target(), Latency()


def variant_of(
    model: Model, precision: Precision, names: Names = NAMES, *, tensorrt: str = "1.7", target: Target = _TARGET,
    runtime: Runtime = _RUNTIME, latency: Latency = _LATENCY, device: Mapping[str, object] | None = None,
) -> Variant:  # fmt: skip
    toolchain = Toolchain("tensorrt-rtx", tensorrt, (), ("8.9",))
    spec = BuildSpec(model, precision, toolchain, runtime, target, Calibration("minmax"), Executor("local"), latency)
    return Variant(names, spec, device=device or {})
