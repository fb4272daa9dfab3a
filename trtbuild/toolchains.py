"""Which interpreter runs a TensorRT version: the environment that already has the declared one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trtbuild.errors import ToolchainError


def interpreter(flavour: str, wanted: str, requirements: Sequence[str]) -> Path:
    """The interpreter that has exactly this TensorRT and exactly the pinned requirements.

    Raises:
        ToolchainError: no environment has it.
    """
    found = _installed(flavour)
    if found == wanted:
        for requirement in requirements:
            name, _, pinned = requirement.partition("==")
            if pinned and (have := _installed(name)) != pinned:
                what = f"{requirement} is declared, but this environment has {have or 'none'}"
                raise ToolchainError(what, where="tensorrt.requirements", hint=f"pip install {requirement}")
        return Path(sys.executable)
    have = f"this environment has {flavour} {found}" if found else f"{flavour} is not installed"
    raise ToolchainError(f"{wanted} is declared, but {have}", where="tensorrt", hint=f"pip install {flavour}=={wanted}")


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
