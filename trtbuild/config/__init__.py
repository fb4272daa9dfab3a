"""Configs -> variants: composed, parsed strictly, checked, and completed with what is installed here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import templates
from trtbuild.base.text import did_you_mean
from trtbuild.config import checks, option
from trtbuild.config.code import PUBLIC_KEY, TRUSTED_MODULES, code_of, public_key, trusted_modules, workspace_code
from trtbuild.config.composed import Composed, Composition
from trtbuild.config.composing import compose_config, composed_option, default_option
from trtbuild.config.groups import GROUPS, check_choices, conf_folders, options, unknown
from trtbuild.config.places import placing
from trtbuild.core.parse import parse
from trtbuild.core.spec import BuildSpec, Names, Precision, Variant
from trtbuild.machine import gpu
from trtbuild.machine.device import identity

__all__ = [
    "GROUPS", "check_choices", "composed_option", "conf_folders", "default_option", "load_variant", "options",
    "unknown", "workspace_code",
]  # fmt: skip

# Libraries whose version is part of a step's recipe, with the names of their distributions.
TOOLS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow"), "keras": ("keras",), "tf2onnx": ("tf2onnx",), "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"), "numpy": ("numpy",), "jinja2": ("jinja2",),
    "plotly": ("plotly",),
}  # fmt: skip


def load_variant(root: Path, overrides: Sequence[str], composed: Composed | None = None) -> Variant:
    """Compose, parse and complete one variant.

    Args:
        composed: earlier compositions of this workspace's conf/; this one is added.

    Raises:
        ConfigError: an unknown option, key or type.  ToolchainError: the target is not one of the toolchain's.
    """
    with placing(root, overrides):
        return _loaded(root, overrides, composed)


def _loaded(root: Path, overrides: Sequence[str], composed: Composed | None) -> Variant:
    check_choices(root, overrides)
    config, choices = _composed(root, overrides, composed)
    trusted = trusted_modules(config.get(TRUSTED_MODULES))
    known = [*GROUPS, TRUSTED_MODULES, PUBLIC_KEY]
    for key in sorted(set(config) - set(known)):
        raise ConfigError(f"unknown key '{key}'", where="config", hint=did_you_mean(key, known))
    parts: dict[str, Any] = {}
    for group, cls in GROUPS.items():
        if config.get(group) is None:
            have = ", ".join(options(root, group))
            raise ConfigError(f"no {group} chosen", where="command line", hint=f"write {group}=NAME; available: {have}")
        parts[group] = (
            option.precision(root, config[group], group) if group == "precision" else parse(cls, config[group], group)
        )
    spec = BuildSpec(**parts)
    names = Names(**{field.name: str(choices[field.name]) for field in fields(Names)})
    checks.check(root, spec, names, trusted)
    there = spec.executor.device
    graphics = there.graphics if there else gpu.identity(gpu.find_device())
    variant = Variant(
        names, spec, code=code_of(root, spec), tools=installed(), templates=templates_digest(root),
        device=there.processor if there else identity(),
        gpu=graphics if spec.runtime.engine or spec.runtime.on_gpu else {},
        public_key=public_key(config.get(PUBLIC_KEY)),
    )  # fmt: skip
    moved = spec.model.validation.engine.budget(names.precision).moved
    return variant if moved is None else replace(variant, against=_in(moved.precision, variant, root, composed))


def _in(precision: str, variant: Variant, root: Path, composed: Composed | None) -> Variant:
    """The same in another precision, as its file says; overrides of this precision's keys are not that one's."""
    config, _ = _composed(root, [f"precision={precision}"], composed)
    said = parse(Precision, config["precision"], f"precision={precision}")
    names = replace(variant.names, precision=precision)
    return replace(variant, names=names, spec=replace(variant.spec, precision=said))


def _composed(root: Path, overrides: Sequence[str], composed: Composed | None) -> Composition:
    """The config of these overrides; what was composed before is not composed again."""
    known, read = None if composed is None else composed.recall(overrides), set[str]()
    found = known or compose_config(root, overrides, read)
    if composed is not None and known is None:
        composed.add(overrides, found, read)
    return found


@cache
def installed() -> dict[str, str]:
    """Installed versions of the libraries that make artifacts."""
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str] = {}
    for tool, distributions in TOOLS.items():
        for name in distributions:
            try:
                versions.setdefault(tool, version(name))
            except PackageNotFoundError:
                continue
    return versions


def templates_digest(root: Path) -> str:
    sha = hashlib.sha256()
    for name, path in sorted(templates(root).items()):
        sha.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()
