"""The part of the loader that touches TensorRT and the GPU: the installed version, the device, deserialising."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import BundleError, ModelError, ToolchainError, first_line
from trtbuild.loader.manifest import Tensor
from trtbuild.machine import gpu

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array
    from trtbuild.runtimes.tensorrt import EngineSession, Options


class InstalledRuntime:
    """TensorRT or TensorRT-RTX, as this interpreter has it, and device 0."""

    def version(self, flavour: str) -> str:
        from trtbuild.trt import api

        try:
            return str(api.module(flavour).__version__)
        except (ImportError, OSError, RuntimeError) as error:  # its own libraries are loaded as it is imported
            what = f"{flavour} cannot be imported here: {first_line(error)}"
            hint = f"run: pip install {flavour}==VERSION, with the version in the manifest"
            raise BundleError(what, where="engine", hint=hint, reason="flavour") from None

    def compute_capability(self) -> str:
        device = gpu.find_device()
        if device is None:
            raise BundleError(gpu.absence(), where="device", reason="device")
        return device.compute_capability

    def deserialise(self, plan: bytes, flavour: str, *, host_code: bool) -> DeviceEngine:
        from trtbuild.runtimes.tensorrt import EngineSession

        options: Options = {"flavour": flavour, "tensorrt": self.version(flavour), "version_compatible": host_code}
        try:
            return DeviceEngine(EngineSession(plan, options, Path(os.devnull)))
        except (ModelError, ToolchainError) as refusal:
            raise BundleError(refusal.what, where="engine", hint=refusal.hint, reason="engine") from None


class DeviceEngine:
    """A deserialised engine, and its tensors as TensorRT describes them."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self.inputs: Sequence[Tensor] = [self._tensor(name) for name in session.inputs]
        self.outputs: Sequence[Tensor] = [self._tensor(name) for name in session.outputs]

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        return self._session.run(feeds)

    def _tensor(self, name: str) -> Tensor:
        from trtbuild.trt.network import dtype_name

        engine = self._session.engine
        return Tensor(name, dtype_name(engine.get_tensor_dtype(name)), tuple(engine.get_tensor_shape(name)))
