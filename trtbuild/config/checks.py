"""Checks of a config beyond its types: paths, targets, modules and names that must fit together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.base.text import did_you_mean
from trtbuild.config import option
from trtbuild.config.code import check_callables
from trtbuild.config.groups import options, unknown
from trtbuild.core.parse import parse
from trtbuild.core.spec import (
    BuildSpec,
    Form,
    Names,
    Target,
    Toolchain,
    capability,
)
from trtbuild.machine import gpu

Check = Callable[[BuildSpec, Names], None]


def checks(root: Path, trusted: Collection[str]) -> list[Check]:
    """Each raises ConfigError, or ToolchainError where the target is not one of the toolchain's."""
    return [
        lambda spec, names: _check_paths(spec),
        _check_target,
        lambda spec, names: check_devices(
            root, {names.tensorrt: spec.tensorrt}, (names.target, spec.target), names.precision, spec.precision.forms
        ),
        lambda spec, names: _check_modules(spec),
        lambda spec, names: _check_precision_names(root, spec),
        lambda spec, names: _check_latency(spec),
        lambda spec, names: check_callables(root, spec, trusted),
    ]


def _check_paths(spec: BuildSpec) -> None:
    """Files must be inside the workspace and named relative to it: an absolute path would differ between machines."""
    named = {"model.source.path": getattr(spec.model.source, "path", None)}
    data = spec.model.data
    sources = {"calibration": data.calibration, "validation": data.validation}
    sources |= {f"inspection.{name}": source for name, source in data.inspection.items()}
    sources |= {"slices": data.slices, "certification": data.certification}
    named |= {f"model.data.{key}": source for key, source in sources.items() if isinstance(source, str)}
    named["latency.baseline"] = spec.latency.baseline
    named["target.timing_cache"] = spec.target.timing_cache
    for where, path in named.items():
        if path is not None and (Path(path).is_absolute() or ".." in Path(path).parts):
            hint = "copy it into the workspace (under models/) and track it with: dvc add"
            raise ConfigError(f"'{path}' is outside the workspace", where=where, hint=hint)


def _check_target(spec: BuildSpec, names: Names) -> None:
    if spec.tensorrt.flavour == "tensorrt":
        if len(spec.target.compute_capabilities) > 1:
            what = f"{names.tensorrt} builds for the one GPU it runs on"
            hint = "name one; target.hardware_compatibility makes engines that run on others"
            raise ConfigError(what, where="target.compute_capabilities", hint=hint)
        return
    for field in fields(Target)[1:]:
        if getattr(spec.target, field.name) != field.default:
            what = f"{names.tensorrt} has no such option; only the flavour tensorrt has"
            hint = "RTX engines are made portable by target.compute_capabilities"
            raise ConfigError(what, where=f"target.{field.name}", hint=hint)


def check_devices(
    root: Path, toolchains: Mapping[str, Toolchain], named: tuple[str, Target], precision: str, forms: Iterable[Form]
) -> None:
    """Refuse a target that a toolchain cannot compile for, or one with a device that lacks a type of the precision.

    Args:
        toolchains, named: by the names of their options; forms: those of the precision.

    Raises:
        ToolchainError: before anything is calibrated, or TensorRT asked, which leaves such devices out in silence.
    """
    (target_name, target), needed = named, capability.types_of(forms)
    for name, toolchain in toolchains.items():
        for wanted in target.compute_capabilities:
            if wanted not in toolchain.compute_capabilities:
                what = f"{name} cannot compile for compute capability {wanted}"
                have = ", ".join(toolchain.compute_capabilities)
                raise ToolchainError(what, where=f"target={target_name}", hint=f"it supports {have}")
        aimed = target.compute_capabilities or _default_devices(toolchain)
        for kind in needed:
            if since := capability.too_old(kind, toolchain.flavour, toolchain.version):
                what = f"{name} has no {kind}, which {precision} needs"
                raise ToolchainError(what, where=f"tensorrt={name}", hint=f"it exists since {since}")
            if old := capability.lacking(kind, aimed):
                what = (
                    f"{precision} needs compute capability {capability.LEAST[kind]} or later ({kind}), "
                    f"but the target has {' and '.join(old)}"
                )
                fit = [f"target={one}" for one in capability.targets(kind, _targets(root, toolchain))]
                hint = f"choose {' or '.join(fit)}" if fit else f"{name} compiles for no such device"
                raise ToolchainError(what, where=f"target={target_name}", hint=hint)


def _default_devices(toolchain: Toolchain) -> tuple[str, ...]:
    """What a target without compute capabilities means: RTX's portable set, or this machine's GPU, if there is one."""
    if toolchain.flavour != "tensorrt":
        return capability.PORTABLE
    device = gpu.find_device()
    return (device.compute_capability,) if device else ()


def _targets(root: Path, toolchain: Toolchain) -> dict[str, tuple[str, ...]]:
    """The targets of this workspace that the toolchain can compile for."""
    found = {}
    for name in options(root, "target"):
        capabilities = parse(Target, option.content(root, "target", name), f"target={name}").compute_capabilities
        if set(capabilities) <= set(toolchain.compute_capabilities):
            found[name] = capabilities
    return found


def _check_modules(spec: BuildSpec) -> None:
    """Modules that a config names must be files of the package, with the function that such a module needs."""
    named = [("quantizers", "def make(", "calibration.algorithm", spec.calibration.algorithm),
             ("runtimes", "def open_session(", "runtime.module", spec.runtime.module),
             ("workers/executors", "def make(", "executor.module", spec.executor.module)]  # fmt: skip
    if spec.runtime.engine is not None:
        named.append(("runtimes", "def open_session(", "runtime.engine", spec.runtime.engine))
    for folder, function, where, name in named:
        own = {"tensorflow", "onnxruntime" if where == "runtime.engine" else "tensorrt"}  # not selectable
        files = (Path(__file__).resolve().parents[1] / folder).glob("*.py")
        valid = sorted(path.stem for path in files if path.stem not in own and function in path.read_text("utf-8"))
        if name not in valid:
            raise ConfigError(f"unknown module '{name}'", where=where, hint=did_you_mean(name, valid))


def _check_precision_names(root: Path, spec: BuildSpec) -> None:
    """Refuse a misspelt precision in a threshold or an exclusion, which would silently never apply."""
    valid = options(root, "precision")
    named = {f"model.overrides.{name}": name for name in spec.model.overrides}
    stripped = spec.model.qat.strip if spec.model.qat is not None else ()
    named |= {f"model.qat.strip[{i}]": name for i, name in enumerate(stripped)}
    for metric, limit in spec.model.validation.deviation.items():
        if isinstance(limit, Mapping):
            named |= {f"model.validation.deviation.{metric}.{name}": name for name in limit}
    limits = spec.model.validation.engine.precisions()
    for where, name in [*named.items(), *((f"model.validation.engine.{place}", name) for place, name in limits)]:
        if name not in valid:
            raise unknown("precision", name, valid, where)


def _check_latency(spec: BuildSpec) -> None:
    """Refuse a batch that the model cannot take, for which another would silently be measured."""
    batch = spec.latency.batch
    if batch is None:
        return
    for name, value in spec.model.inputs.items():
        if not value.shape:
            continue  # a scalar has no batch
        low, _, high = (shape[0] for shape in value.shapes)
        if not low <= batch <= high:
            allowed = f"exactly {low}" if low == high else f"{low} to {high}"
            what = f"a batch of {batch}, but input '{name}' takes {allowed}"
            raise ConfigError(what, where="latency.batch", hint="see the profile in model.inputs")
