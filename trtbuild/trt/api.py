"""TensorRT through Polygraphy: parse, configure, build; the only file that knows differences between versions.

Runs in the toolchain's interpreter.  Polygraphy decides between ``tensorrt`` and ``tensorrt_rtx`` at import, so
``use_flavour`` comes first, and one process knows one of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from trtbuild.base.errors import EngineError, ToolchainError
from trtbuild.core.complaint import Complaint

if TYPE_CHECKING:
    from types import ModuleType

    import tensorrt_rtx as trt
    from polygraphy.backend.trt import CreateConfig

    from trtbuild.graphs.profile import EngineLayers
    from trtbuild.trt.trtlog import Log

_MODULES = {"tensorrt-rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}


def use_flavour(flavour: str, version: str) -> ModuleType:
    """Import the flavour's module; refuse any version but the declared one."""
    trt = module(flavour)
    if trt.__version__ != version:
        what = f"the toolchain has {flavour} {trt.__version__}, but {version} is declared"
        raise ToolchainError(what, where="tensorrt.version")
    return trt


def module(flavour: str) -> ModuleType:
    """The flavour's module in whatever version is installed; raises ImportError."""
    os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1" if flavour == "tensorrt-rtx" else "0"
    from importlib import import_module

    return import_module(_MODULES[flavour])


@dataclass
class ParsedNetwork:
    builder: trt.Builder
    network: trt.INetworkDefinition
    parser: trt.OnnxParser
    complaints: list[Complaint]


def parse(trt: ModuleType, log: Log, model: bytes, path: Path | None = None) -> ParsedNetwork:
    """Parse ONNX into a strongly typed network; refusals come back as data.

    Args:
        path: the model's file, beside which its external data lies.
    """
    from polygraphy.backend.trt import create_network

    builder, network = create_network(strongly_typed=True)
    parser = trt.OnnxParser(network, log)
    log.node = ("", "")
    ok = parser.parse(model, None if path is None else str(path))
    log.node = ("", "")
    complaints = [_complaint(parser.get_error(i)) for i in range(parser.num_errors)]
    if not ok and not complaints:
        complaints = [Complaint("", "", "parse", log.errors[-1] if log.errors else "the parser gave no reason")]
    return ParsedNetwork(builder, network, parser, complaints)


def _complaint(error: trt.ParserError) -> Complaint:
    code = str(error.code()).rpartition(".")[2]
    # Checks that failed without a text say just "false": the function's name tells more.
    said = " ".join(error.desc().split())
    words = f"{code}: {said}" if said not in ("false", "") else f"{code}: refused by {error.func()}"
    return Complaint(error.node_name(), error.node_operator(), "parse", words)


@dataclass(frozen=True)
class SerialisedEngine:
    """A serialised engine, and the timings its tactics were chosen by (empty for RTX, which times at first use)."""

    plan: bytes
    timing_cache: bytes = b""


class BuildOptions(TypedDict, total=False):
    """``profiles``: input -> (min, opt, max) shapes; ``compute_capabilities`` as "8.9".

    ``hardware_compatibility``, ``version_compatible`` and ``timing_cache`` are for TensorRT only, not for RTX.
    """

    profiles: Mapping[str, Sequence[Sequence[int]]]
    compute_capabilities: Sequence[str]
    tf32: bool
    hardware_compatibility: str
    version_compatible: bool
    timing_cache: bytes


def build(parsed: ParsedNetwork, trt: ModuleType, log: Log, options: BuildOptions) -> SerialisedEngine:
    """Compile the parsed network.

    Raises:
        EngineError: no plan, or an error-level line in the log.
        ToolchainError: a timing cache of another version or GPU, or an option that this version lacks.
    """
    config = _config(trt, options)(parsed.builder, parsed.network)
    # TF32 is on by default in every version: an fp32 engine would compute with ten bits of mantissa, silently.
    if options["tf32"]:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    native = "hardware_compatibility" in options
    if timings := options.get("timing_cache"):
        _lock_tactics(trt, config, timings)
    before = len(log.errors)
    plan = parsed.builder.build_serialized_network(parsed.network, config)
    said = log.errors[before:]
    if plan is None or said:
        raise EngineError(
            said[0] if said else "the builder gave no plan and no reason", where="build", details=tuple(said)
        )
    if not native:
        return SerialisedEngine(bytes(plan))
    timing_cache = config.get_timing_cache()
    return SerialisedEngine(bytes(plan), b"" if timing_cache is None else bytes(timing_cache.serialize()))


def _lock_tactics(trt: ModuleType, config: trt.IBuilderConfig, content: bytes) -> None:
    """Take the tactics of an earlier build; a missing one is an error, not a new measurement."""
    timing_cache = config.create_timing_cache(content)
    if timing_cache is None or not config.set_timing_cache(timing_cache, False):
        hint = "a timing cache fits its exact version and GPU; leave it out and keep the new one"
        raise ToolchainError("the timing cache is not of this TensorRT and GPU", where="target.timing_cache", hint=hint)
    config.set_flag(trt.BuilderFlag.ERROR_ON_TIMING_CACHE_MISS)


# What versions up to RTX 1.6 cannot compile where there is no GPU, by their own words (seen in int8 graphs).
_GPU_ONLY = (
    ("generateForCurrent", "it compiles quantised operations only on a GPU, and finds none here"),
    (r"cudnn_impl\.cpp:\d+: CHECK\(dtype ==", "it has no int8 convolutions where there is no GPU"),
)


def known_refusal(words: str) -> str:
    """Why a build failed, where TensorRT's own words are obscure; empty where they have to do.

    >>> known_refusal("Error Code 1: Cuda Runtime (In generateForCurrent at cudaDeviceProfile.cpp:187)")
    'it compiles quantised operations only on a GPU, and finds none here'
    """
    return next((why for sign, why in _GPU_ONLY if re.search(sign, words)), "")


def shape_inputs(network: trt.INetworkDefinition) -> set[str]:
    """Inputs whose values are a shape, or something else that an engine has to know when it is built."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    return {tensor.name for tensor in inputs if tensor.is_shape_tensor}


def _config(trt: ModuleType, options: BuildOptions) -> CreateConfig:
    from polygraphy.backend.trt import CreateConfig, Profile

    detailed = trt.ProfilingVerbosity.DETAILED  # without it the inspector and the log know only names
    profiles = []
    if options["profiles"]:
        profile = Profile()
        for name, (low, opt, high) in options["profiles"].items():
            profile.add(name, min=tuple(low), opt=tuple(opt), max=tuple(high))
        profiles = [profile]
    if trt.__name__ == "tensorrt_rtx":
        from polygraphy.backend.tensorrt_rtx import CreateConfigRTX

        capabilities = [tuple(int(part) for part in cc.split(".")) for cc in options["compute_capabilities"]]
        return CreateConfigRTX(
            profiles=profiles or None, compute_capabilities=capabilities or None, profiling_verbosity=detailed
        )
    return CreateConfig(
        profiles=profiles or None,
        hardware_compatibility_level=_compatibility(trt, options["hardware_compatibility"]),
        version_compatible=options["version_compatible"],
        profiling_verbosity=detailed,
    )


def _compatibility(trt: ModuleType, wanted: str) -> trt.HardwareCompatibilityLevel | None:
    """None leaves TensorRT's default, which is none; 10.3 has no SAME_COMPUTE_CAPABILITY."""
    if wanted == "none":
        return None
    levels = trt.HardwareCompatibilityLevel.__members__
    if wanted.upper() not in levels:
        have = ", ".join(name.lower() for name in levels)
        what = f"{trt.__name__} {trt.__version__} has no {wanted}"
        raise ToolchainError(what, where="target.hardware_compatibility", hint=f"it has {have}")
    return levels[wanted.upper()]


def load(trt: ModuleType, log: Log, plan: bytes, *, host_code: bool = False) -> trt.ICudaEngine:
    """An engine from its plan; needs its GPU.

    Args:
        host_code: a version-compatible plan holds a small runtime of its own, which may then be run.

    Raises:
        EngineError: TensorRT cannot load it.
    """
    runtime = trt.Runtime(log)
    if host_code:
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        said = log.errors[-1] if log.errors else "no reason given"
        hint = "a plan fits its exact version, and the GPUs that it was built for"
        raise EngineError(f"the engine cannot be loaded: {said}", where="engine.plan", hint=hint)
    return engine


def inspect(trt: ModuleType, engine: trt.ICudaEngine) -> EngineLayers:
    """Layers and bindings of an engine, as its own inspector reports them.

    Older versions give no ``Bindings``, and only names where they know no more: both take one form here.

    Raises:
        EngineError: the inspector's answer is not JSON.
    """
    import json

    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    try:
        found = json.loads(text, strict=False)  # names are written as they are, control characters and all
    except ValueError as error:
        raise EngineError(f"the inspector's answer is not JSON: {error}", where="inspect") from None
    layers: list[dict[str, object]] = [
        {"Name": layer} if isinstance(layer, str) else layer for layer in found.get("Layers", [])
    ]
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    return {"Layers": layers, "Bindings": found.get("Bindings") or names}


def check_targets(trt: ModuleType, capabilities: Sequence[str]) -> None:
    """Refuse a compute capability that this TensorRT cannot compile for, before minutes are spent."""
    known = getattr(trt, "ComputeCapability", None)
    if known is None:
        return
    names = [name for name in known.__members__ if name.startswith("SM")]
    for capability in capabilities:
        if f"SM{capability.replace('.', '')}" not in names:
            have = ", ".join(f"{name[2:-1]}.{name[-1]}" for name in names)
            what = f"{trt.__name__} {trt.__version__} has no compute capability {capability}"
            raise ToolchainError(what, where="target.compute_capabilities", hint=f"it has {have}")
