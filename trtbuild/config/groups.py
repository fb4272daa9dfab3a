"""The groups of conf/, and the options that each offers in a workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import MISSING, fields
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.text import did_you_mean
from trtbuild.core.spec import (
    Auto,
    BuildSpec,
    Calibration,
    Device,
    Executor,
    Latency,
    Layers,
    Model,
    Precision,
    Runtime,
    Target,
    Toolchain,
)

GROUPS = {
    "model": Model, "precision": Precision, "tensorrt": Toolchain, "runtime": Runtime, "target": Target,
    "calibration": Calibration, "executor": Executor, "layers": Layers, "latency": Latency, "device": Device,
    "auto": Auto,
}  # fmt: skip
# Groups younger than some workspace's config.yaml: where it does not list them, their option "default" applies.
OPTIONAL = tuple(field.name for field in fields(BuildSpec) if field.default is not MISSING)

_OTHER_NAMES = {  # what people call a precision elsewhere
    "float32": "fp32", "float": "fp32", "float16": "fp16", "half": "fp16", "mixed_float16": "fp16",
    "bfloat16": "bf16", "mixed_bfloat16": "bf16", "tensorfloat32": "tf32", "float8": "fp8", "e4m3": "fp8",
    "fp4": "nvfp4", "float4": "nvfp4",
}  # fmt: skip


def conf_folders(root: Path) -> list[Path]:
    """Where options are looked up: the workspace's own conf/, then the packaged one."""
    return list(dict.fromkeys([(root / "conf").resolve(), packaged_conf().resolve()]))


def options(root: Path, group: str) -> list[str]:
    """Names of a group's options in this workspace.  Models are always the workspace's own."""
    folders = conf_folders(root)[:1] if group == "model" else conf_folders(root)
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def check_choices(root: Path, overrides: Iterable[str]) -> None:
    """Raise ConfigError for an option that its group does not have."""
    for word in overrides:
        key, _, value = word.partition("=")
        if key in GROUPS:
            valid = options(root, key)
            if value not in valid:
                raise unknown(key, value, valid, word)


def unknown(group: str, name: str, valid: Collection[str], where: str) -> ConfigError:
    """The error for an option that a group does not have, wherever its name is written."""
    if group == "precision" and name == "auto":
        hint = "a search's result is precision=auto-MODEL"
        return ConfigError("only a build searches for a precision", where=where, hint=hint)
    other = _OTHER_NAMES.get(name.lower()) if group == "precision" else None
    hint = f"did you mean '{other}'?" if other in valid else did_you_mean(name, valid)
    return ConfigError(f"unknown {group} '{name}'", where=where, hint=hint)
