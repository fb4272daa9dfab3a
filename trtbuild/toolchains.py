"""Which interpreter runs a TensorRT version: the environment that already has the declared one."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trtbuild.errors import ToolchainError


def interpreter(flavour: str, wanted: str) -> Path:
    """The interpreter that has exactly this TensorRT.

    Raises:
        ToolchainError: no environment has it.
    """
    try:
        found = version(flavour)
    except PackageNotFoundError:
        found = None
    if found == wanted:
        return Path(sys.executable)
    have = f"this environment has {flavour} {found}" if found else f"{flavour} is not installed"
    raise ToolchainError(f"{wanted} is declared, but {have}", where="tensorrt", hint=f"pip install {flavour}=={wanted}")
