"""Importable callables named in a config: ``package.module:name``, or dotted."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from trtbuild.base.errors import ConfigError


def load_callable(name: str, where: str) -> Callable[..., Any]:
    """Import the callable that ``name`` refers to.

    >>> load_callable("json:dumps", "doc")([1])
    '[1]'
    """
    if ":" in name:
        module, attributes = name.split(":", 1)
        target = _resolve(module, attributes.split("."))
    else:
        parts = name.split(".")
        candidates = ((".".join(parts[:i]), parts[i:]) for i in range(len(parts) - 1, 0, -1))
        target = next((t for module, rest in candidates if (t := _resolve(module, rest)) is not None), None)
    if not callable(target):
        hint = "write package.module:name, importable in this environment or from the workspace"
        raise ConfigError(f"cannot import a callable '{name}'", where=where, hint=hint)
    return target


def _resolve(module: str, attributes: list[str]) -> object:
    try:
        target: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            return None
        raise
    for attribute in attributes:
        target = getattr(target, attribute, None)
    return target
