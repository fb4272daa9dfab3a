"""How a model is built and run: calibration, TensorRT, target and runtime."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Literal

_REQUIREMENT = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+)(?: *; *python_full_version *(<|>=) *'(\d+)\.(\d+)')?"
)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")  # part of the name of its environment's folder
CUDA_PROVIDER = "CUDAExecutionProvider"


DEFAULT_CALIBRATION = "best"  # of conf/config.yaml: names of variants leave it out


@dataclass(frozen=True)
class Calibration:
    """``min_samples``: fewer are a warning; ``strict``: a warning of the calibration fails the variant.

    ``bias_correction``: biases take back what quantisation adds to the mean of each output channel.
    """

    algorithm: str
    percentile: float = 99.99
    bins: int = 2048
    batch: int = 8
    min_samples: int = 10
    strict: bool = False
    bias_correction: bool = False

    def __post_init__(self) -> None:
        if self.bins < 2 or self.bins % 2:
            raise ValueError(f"bins: {self.bins} is not an even number above 1")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile: {self.percentile} is not in (0, 100]")
        if self.batch < 1:
            raise ValueError(f"batch: {self.batch} is below 1")
        if self.min_samples < 1:
            raise ValueError(f"min_samples: {self.min_samples} is below 1")


@dataclass(frozen=True)
class Toolchain:
    """One exact TensorRT; all ``requirements`` are pinned, since they are part of every engine's recipe.

    A requirement can be for some Python versions only (PEP 508: ``numpy==2.2.6 ; python_full_version < '3.11'``).  It
    is dropped unless this Python, which also makes the toolchain's environment, is one of them.
    """

    flavour: Literal["tensorrt-rtx", "tensorrt"]
    version: str
    requirements: tuple[str, ...]
    compute_capabilities: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _VERSION.fullmatch(self.version):
            raise ValueError(f"version: '{self.version}' is not a version, such as 1.7.1.9")
        held = (_for_python(requirement, sys.version_info[:2]) for requirement in self.requirements)
        object.__setattr__(self, "requirements", tuple(requirement for requirement in held if requirement))


def _for_python(requirement: str, python: tuple[int, int]) -> str:
    """A requirement without its condition; "" if the condition does not hold for this Python.

    >>> _for_python("numpy==2.2.6 ; python_full_version < '3.11'", (3, 10))
    'numpy==2.2.6'
    """
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise ValueError(f"requirements: '{requirement}' is not pinned; write NAME==VERSION")
    pinned, below, major, minor = found.groups()
    if below is None:
        return str(pinned)
    holds = (python < (int(major), int(minor))) == (below == "<")
    return str(pinned) if holds else ""


@dataclass(frozen=True)
class Target:
    """Compute capabilities that the engine is compiled for; empty: RTX's portable default set, or this GPU (TensorRT).

    The other fields are for the flavour ``tensorrt`` only.  ``timing_cache``: a file from an earlier build; its tactics
    are used and no others are timed, so that a rebuild chooses the same ones.
    """

    compute_capabilities: tuple[str, ...] = ()
    hardware_compatibility: Literal["none", "ampere_plus", "same_compute_capability"] = "none"
    version_compatible: bool = False
    timing_cache: str | None = None


@dataclass(frozen=True)
class Runtime:
    """``module`` runs the graphs with its ``providers``, ``engine`` executes the engine (null: nothing does).

    The graphs before the engine are run even so: the hops between them show where the outputs changed.
    """

    module: str
    providers: tuple[str, ...] = ()
    engine: str | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether the graphs run on a GPU."""
        return CUDA_PROVIDER in self.providers
