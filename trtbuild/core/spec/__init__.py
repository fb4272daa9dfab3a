"""One variant as frozen values: everything a user can request, and its readable names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from trtbuild.core.spec.auto import Auto
from trtbuild.core.spec.data import VALIDATION, FactoryData
from trtbuild.core.spec.device import Device
from trtbuild.core.spec.engine import DEFAULT_CALIBRATION, Calibration, Runtime, Target, Toolchain
from trtbuild.core.spec.lowering import Lowering
from trtbuild.core.spec.model import Factory, Model, Onnx, Override, Qat
from trtbuild.core.spec.precision import Form, LoweringKind, Precision
from trtbuild.core.spec.run import Executor, Latency, Layers

# What other modules need besides a variant: its groups, and the few parts of them that steps distinguish.
__all__ = [
    "DEFAULT_CALIBRATION", "VALIDATION", "Auto", "BuildSpec", "Calibration", "Device", "Executor", "Factory",
    "FactoryData", "Form", "Latency", "Layers", "Lowering", "LoweringKind", "Model", "Names", "Onnx", "Override",
    "Precision", "Qat", "Runtime", "Target", "Toolchain", "Variant",
]  # fmt: skip


@dataclass(frozen=True)
class BuildSpec:
    """One variant: a model in one precision, for one TensorRT, target and runtime.

    A part with a default here is a group that a workspace's config.yaml need not list.
    """

    model: Model
    precision: Precision
    tensorrt: Toolchain
    runtime: Runtime
    target: Target
    calibration: Calibration
    executor: Executor
    latency: Latency = field(default=Latency())
    layers: Layers = field(default=Layers())
    device: Device = field(default=Device())
    auto: Auto = field(default=Auto())


@dataclass(frozen=True)
class Names:
    """The chosen option of every group that names a variant."""

    model: str
    precision: str
    tensorrt: str
    runtime: str
    target: str
    calibration: str


@dataclass(frozen=True)
class Variant:
    names: Names
    spec: BuildSpec
    # Workspace files with the code of the config's callables ("pkg.module:name" -> "pkg/module.py", …): they are
    # inputs, so that an edited factory or metric makes its steps stale.
    code: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)  # library -> installed version
    templates: str = ""  # digest of the report templates in use
    device: Mapping[str, object] = field(default_factory=dict)  # what latency is measured on (device.identity)
    gpu: Mapping[str, object] = field(default_factory=dict)  # what executes engines and CUDA graphs (gpu.identity)
    public_key: str | None = None  # the workspace file with the key that attestations must be signed with
    against: Variant | None = None  # the same in another precision, whose engine a threshold compares this one's with

    @cached_property
    def id(self) -> str:
        """``segnet-int8-rtx-1.7-onnxruntime``, then target and calibration if they are not the default."""
        names = self.names
        extra = [names.target] if names.target != "portable" else []
        if self.spec.precision.calibrated and names.calibration != DEFAULT_CALIBRATION:
            extra.append(names.calibration)
        return "-".join([names.model, names.precision, names.tensorrt, names.runtime, *extra])

    @property
    def lowering(self) -> Lowering:
        """How the variant's graph is written in its precision."""
        spec, name = self.spec, self.names.precision
        made = Lowering.of(name, spec.precision, spec.calibration, spec.model.overrides.get(name))
        return replace(made, qat=spec.model.qat or Qat())
